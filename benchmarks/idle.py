"""
What doing nothing costs, and a trickle: ten records a second on every way in.

    python benchmarks/idle.py [--seconds 300] [--each] [--json]

A collector with its defaults (canary, alerting, ledger) is left alone until it is quiet, then watched for a while; then each way in gets one
request of ten records a second, as a quiet system's senders make them, every one with its 2xx. Printed: CPU of collector and engine in per cent
of one core, and of the engine by the names of its threads (``ThreadPool``: statements, ``BgSchPool``: looking for work, ``MergeMutate``: merges); of the
collector ``py-spy record -p`` tells. With ``--each`` also the trickle of each way alone.

While nobody reads small segments of lines gather for five minutes, and the default rules ask every minute: less than five minutes see more of their loads, or none.

Targets: idle at most 3 %, all trickles together at most 10 %.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import loglines  # noqa: E402
from ingest import Collector, settle  # noqa: E402
from telemetry import SENDERS  # noqa: E402

_RECORDS = 10
_IDLE_TARGET, _TRICKLE_TARGET = 3.0, 10.0
_WARM_S, _TRICKLE_WARM_S = 8.0, 40.0

Request = tuple[str, bytes, dict[str, str]]


def lines(seconds: int) -> Iterator[Request]:
    """Yield log lines, as an agent sends them."""
    told = {"Fuseboard-Resource": "service.name=checkout,deployment.environment.name=prod"}
    made = loglines.lines(_RECORDS * seconds, seed=9, start=datetime.now(UTC), per_s=_RECORDS)
    for _ in range(seconds):
        yield "/v1/lines", b"\n".join(next(made) for _ in range(_RECORDS)), told


def loki(seconds: int) -> Iterator[Request]:
    """Yield a push of lines, as JSON."""
    made = loglines.lines(_RECORDS * seconds, seed=10, start=datetime.now(UTC), per_s=_RECORDS)
    for second in range(seconds):
        at_ns = time.time_ns() + second * 10**9
        values = [[str(at_ns), next(made).decode()] for _ in range(_RECORDS)]
        streams = [{"stream": {"app": "cart", "env": "prod"}, "values": values}]
        yield (
            "/loki/api/v1/push",
            json.dumps({"streams": streams}).encode(),
            {"Content-Type": "application/json"},
        )


def breakers(seconds: int) -> Iterator[Request]:
    """Yield transitions of ten breakers."""
    states = ["closed", "open", "half_open"]
    for second in range(seconds):
        transitions = [
            {
                "service": "cart",
                "breaker": f"to-{number}",
                "from": states[second % 3],
                "to": states[(second + 1) % 3],
            }
            for number in range(_RECORDS)
        ]
        yield "/v1/breakers", json.dumps(transitions).encode(), {"Content-Type": "application/json"}


def reports(seconds: int) -> Iterator[Request]:
    """Yield an agent's report now and then: every fifteenth second, as agents do."""
    for second in range(seconds):
        if second % 15 == 0:
            report = {
                "agent": "a-1",
                "name": "bench",
                "version": "1",
                "sequence": second + 1,
                "at": _now(),
                "started_at": _now(),
                "counters": [],
            }
            yield "/v1/reports", json.dumps(report).encode(), {"Content-Type": "application/json"}
        else:
            yield "", b"", {}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def sent_by(name: str) -> Callable[[int], Iterator[Request]]:
    """Return what `telemetry`'s sender called *name* makes."""
    sender = SENDERS[name]

    def made(seconds: int) -> Iterator[Request]:
        for number, (body, _) in enumerate(sender.bodies(random.randrange(10**6), seconds, _RECORDS)):
            yield sender.path, sender.encode(body), {**sender.headers, **sender.varying(number)}

    return made


WAYS: dict[str, Callable[[int], Iterator[Request]]] = {
    "lines": lines,
    "loki_json": loki,
    **{name: sent_by(name) for name in SENDERS if name != "remote_write_v2"},
    "breakers": breakers,
    "reports": reports,
}


def trickle(collector: Collector, requests: list[Iterator[Request]], seconds: float) -> None:
    """Post the next request of each way once a second."""
    connection = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=60)
    began = time.monotonic()
    for second in range(round(seconds)):
        time.sleep(max(0.0, began + second - time.monotonic()))
        for waiting in requests:
            path, body, headers = next(waiting)
            if not path:
                continue
            connection.request("POST", path, body=body, headers=headers)
            answer = connection.getresponse()
            told = answer.read()
            if answer.status not in (200, 204):
                raise SystemExit(f"{path}: {answer.status} {told[:300]!r}")
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    connection.close()


def used(collector: Collector, work: Callable[[float], None], seconds: float) -> dict[str, float]:
    """Per cent of a core that collector and engine use while *work* goes on, and that the engine's threads do, by name."""
    pids = (collector.process.pid, collector.engine_pid)
    began, before = time.monotonic(), [collector.cpu_s(pid) for pid in pids]
    threads = threads_s(collector.engine_pid)
    work(seconds)
    wall = time.monotonic() - began
    each = [(collector.cpu_s(pid) - start) / wall * 100 for pid, start in zip(pids, before, strict=True)]
    shares = threads_s(collector.engine_pid)
    shares.subtract(threads)
    named = {f"engine/{name}": spent / wall * 100 for name, spent in shares.most_common(6)}
    return {"collector": each[0], "engine": each[1], "together": sum(each), **named}


def threads_s(pid: int) -> Counter[str]:
    """CPU-seconds that a process's threads have used, by name; those that ended are not among them."""
    spent: Counter[str] = Counter()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            spent[(task / "comm").read_text().strip()] += (
                int((task / "schedstat").read_text().split()[0]) / 1e9
            )
    return spent


def trickled(collector: Collector, ways: list[str], seconds: float) -> dict[str, float]:
    """Measure a trickle on *ways*, once it has run long enough for every way's first segment to be loaded."""
    total = round(_TRICKLE_WARM_S + seconds) + 2
    requests = [iter(list(WAYS[name](total))) for name in ways]  # built before anything is measured
    trickle(collector, requests, _TRICKLE_WARM_S)
    return used(collector, lambda span: trickle(collector, requests, span), seconds)


def measure(folder: Path, seconds: float, *, each: bool) -> dict[str, dict[str, float]]:
    """Run one collector through all of it."""
    collector = Collector(folder / "data")
    try:
        settle(collector)
        time.sleep(_WARM_S)
        figures = {"idle": used(collector, time.sleep, seconds)}
        figures["trickle"] = trickled(collector, list(WAYS), seconds)
        for name in WAYS if each else ():
            time.sleep(_WARM_S)
            figures[name] = trickled(collector, [name], seconds)
    finally:
        collector.stop()
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=300.0, help="of each measurement")
    parser.add_argument("--each", action="store_true", help="also each way alone")
    parser.add_argument("--json", action="store_true", help="only the figures, as JSON")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fuseboard-idle-"))
    try:
        figures = measure(folder, given.seconds, each=given.each)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if given.json:
        print(json.dumps(figures, indent=2))
        return
    for name, found in figures.items():
        shares = ", ".join(f"{key[7:]} {found[key]:.1f}" for key in found if key.startswith("engine/"))
        print(
            f"{name:14} {found['together']:6.1f} % of a core (collector {found['collector']:.1f}, engine {found['engine']:.1f}: {shares})"
        )
    for name, target in (("idle", _IDLE_TARGET), ("trickle", _TRICKLE_TARGET)):
        print(
            f"target {name} <= {target:.0f} %: {'met' if figures[name]['together'] <= target else 'missed'}"
        )


if __name__ == "__main__":
    main()
