"""
What keeping an eye on breakers costs: a collector that knows many, left alone and with some transitions a second.

    python benchmarks/breakers.py [--breakers 2000] [--rate 20] [--seconds 20]

Each breaker is told of five times first. Printed: CPU of collector and engine in per cent of one core, idle and with *rate* transitions a second in
one request. What storing them costs is in it; `idle.py --each` has that alone.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from idle import used  # noqa: E402
from ingest import Collector, settle  # noqa: E402

_STATES = ("closed", "open", "half_open")
_TOLD = 5
_WARM_S = 8.0


def transitions(numbers: range, breakers: int, back_s: float = 0.0) -> list[dict[str, object]]:
    """Make transitions, each the next breaker's next."""
    now = time.time() - back_s
    return [
        {
            "service": f"svc-{number % breakers // 20}",
            "breaker": f"to-{number % 20}",
            "instance": f"i-{number % 2}",
            "from": _STATES[number // breakers % 3],
            "to": _STATES[(number // breakers + 1) % 3],
            "at": round(now, 3),
        }
        for number in numbers
    ]


def post(collector: Collector, made: list[dict[str, object]]) -> None:
    """Post them in one request."""
    connection = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=60)
    connection.request(
        "POST", "/v1/breakers", json.dumps(made).encode(), {"Content-Type": "application/json"}
    )
    if connection.getresponse().status != 200:
        raise SystemExit("not accepted")
    connection.close()


def each_second(collector: Collector, requests: Iterator[list[dict[str, object]]], seconds: float) -> None:
    """Post the next request once a second."""
    began = time.monotonic()
    for second in range(round(seconds)):
        time.sleep(max(0.0, began + second - time.monotonic()))
        post(collector, next(requests))
    time.sleep(max(0.0, began + seconds - time.monotonic()))


def measure(folder: Path, given: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Run one collector through all of it."""
    collector = Collector(folder / "data")
    try:
        settle(collector)
        for told in range(_TOLD):
            numbers = range(told * given.breakers, (told + 1) * given.breakers)
            post(collector, transitions(numbers, given.breakers, back_s=600.0 * (_TOLD - told)))
        time.sleep(_WARM_S)
        figures = {"idle": used(collector, time.sleep, given.seconds)}
        firsts = range(_TOLD * given.breakers, 1 << 40, given.rate)
        requests = (transitions(range(first, first + given.rate), given.breakers) for first in firsts)
        each_second(collector, requests, _WARM_S)
        figures[f"{given.rate}/s"] = used(
            collector, lambda span: each_second(collector, requests, span), given.seconds
        )
    finally:
        collector.stop()
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--breakers", type=int, default=2000)
    parser.add_argument("--rate", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fuseboard-breakers-"))
    try:
        figures = measure(folder, given)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, found in figures.items():
        print(
            f"{name:8} {found['together']:6.1f} % of a core (collector {found['collector']:.1f}, engine {found['engine']:.1f})"
        )


if __name__ == "__main__":
    main()
