"""
How long answers take on a day of a busy system: 20 M log records, 5 M spans, 50 M samples, over the collector's HTTP API.

    python benchmarks/answers.py [--scale 1.0] [--times 20] [--json] [--keep FOLDER]

The rows are `day.py`'s. A collector is started over them and asked, one connection, each question once before it is measured, *times*
times after; p50 and p95 in milliseconds. Live tail: the time from a line's 2xx to its event at a viewer. ``--keep`` keeps the filled data
directory in FOLDER and asks it again if it is there (the questions end where its day ends); without, it is removed.

At full scale: about three minutes and 6 GB of disk, most of it spent on making the rows.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.day import DAY_S, Day, filled  # noqa: E402

# Question -> at most so many milliseconds (p50), where the project wants a figure.
TARGETS_MS = {
    "patterns over 1 M records": 2000.0,
    "PromQL sum by (service)(rate(x[5m])), 6 h, 1,000 series": 300.0,
    "PromQL instant": 30.0,
    "tail, 2xx to viewer": 2500.0,
}


@contextmanager
def serving(data: Path) -> Iterator[int]:
    """Run a collector over *data*; gives its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "collector", "serve", "--data-dir", str(data), "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
    environment = {**os.environ, "FUSEBOARD_GRPC_PORT": "0"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if _get(port, "/readyz")[0] == 200:
                    break
            except OSError:
                pass
            time.sleep(0.2)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _get(port: int, path: str, parameters: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("GET", f"{path}?{urlencode(parameters)}" if parameters else path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def questions(made: Day) -> dict[str, tuple[str, dict[str, str]]]:
    """Give every question: a path and its parameters."""
    end_s = made.end_s
    day = {"start": str(end_s - DAY_S), "end": str(end_s)}
    million_s = DAY_S * min(1_000_000 / made.logs, 1.0)
    lately = {"start": str(int(end_s - million_s)), "end": str(end_s)}
    six = {"start": str(end_s - 6 * 3600), "end": str(end_s), "step": "60"}
    asked = "sum by (service)(rate(http_requests_total[5m]))"
    return {
        "rare word, 24 h": ("/api/v1/logs", {**day, "query": "quetzalcoatl"}),
        "newest 100 with a filter": ("/api/v1/logs", {**day, "query": "service:checkout severity:>=error"}),
        "newest 100 by an attribute": ("/api/v1/logs", {**day, "query": "user.id:4711"}),
        "histogram, 24 h": ("/api/v1/logs/histogram", day),
        "histogram of a search, 24 h": ("/api/v1/logs/histogram", {**day, "query": "severity:>=error"}),
        "facets, 24 h": ("/api/v1/logs/facets", {**day, "fields": "service,severity"}),
        "facets of an attribute, 24 h": ("/api/v1/logs/facets", {**day, "fields": "http.route"}),
        "patterns over 1 M records": ("/api/v1/logs/patterns", lately),
        "newest traces": ("/api/v1/traces", day),
        "traces that fail, of a service": ("/api/v1/traces", {**day, "service": "payment", "error": "true"}),
        "traces by an attribute": ("/api/v1/traces", {**day, "query": "user.id:4711"}),
        "slow traces": ("/api/v1/traces", {**day, "min_duration_ms": "100"}),
        "trace heatmap, 24 h": ("/api/v1/traces/heatmap", day),
        "services": ("/api/v1/services", {"end": str(end_s)}),
        "map, 1 h": ("/api/v1/map", {"start": str(end_s - 3600), "end": str(end_s)}),
        "causes, 1 h": ("/api/v1/causes", {"start": str(end_s - 3600), "end": str(end_s)}),
        "endpoints": ("/api/v1/endpoints", day),
        "PromQL sum by (service)(rate(x[5m])), 6 h, 1,000 series": ("/prometheus/api/v1/query_range", {**six, "query": asked}),
        "PromQL instant": ("/prometheus/api/v1/query", {"time": str(end_s - 60), "query": 'http_requests_total{number="17"}'}),
        "PromQL instant, rate over 1,000 series": ("/prometheus/api/v1/query", {"time": str(end_s - 60), "query": asked}),
    }  # fmt: skip


def measure(port: int, path: str, parameters: Mapping[str, str], times: int) -> tuple[float, float]:
    """Ask *times* times; returns p50 and p95, milliseconds."""
    status, body = _get(port, path, parameters)
    if status != 200:
        raise SystemExit(f"{path} {dict(parameters)}: {status} {body[:300]!r}")
    took = []
    for _ in range(times):
        began = time.perf_counter()
        _get(port, path, parameters)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), sorted(took)[max(0, -(-len(took) * 95 // 100) - 1)]


def trace_question(port: int, end_s: int) -> tuple[str, dict[str, str]]:
    """Give the question for one trace of some hours ago."""
    there = {"start": str(end_s - 9 * 3600), "end": str(end_s - 8 * 3600), "limit": "1"}
    rows = json.loads(_get(port, "/api/v1/traces", there)[1])["data"]
    return f"/api/v1/traces/{rows[0]['trace_id']}", {}


def tail(port: int, times: int) -> list[float]:
    """Follow the live tail and send lines; returns milliseconds from each 2xx to its event."""
    arrived: dict[str, float] = {}
    begun = threading.Event()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/api/v1/logs/tail?" + urlencode({"query": "service:tailed"}))
    stream = connection.getresponse()

    def follow() -> None:
        begun.set()
        for line in stream:
            text = line.decode(errors="replace")
            if "needle-" in text:
                arrived.setdefault(text.split("needle-")[1][:6], time.perf_counter())

    threading.Thread(target=follow, daemon=True).start()
    begun.wait()
    took = []
    for number in range(times):
        name = f"{number:06}"
        sender = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        sender.request(
            "POST",
            "/v1/lines",
            f'{{"message":"needle-{name}"}}',
            {"Fuseboard-Resource": "service.name=tailed"},
        )
        sender.getresponse().read()
        acknowledged = time.perf_counter()
        sender.close()
        deadline = acknowledged + 20
        while name not in arrived and time.perf_counter() < deadline:
            time.sleep(0.01)
        took.append((arrived.get(name, deadline) - acknowledged) * 1000)
        time.sleep(0.37)
    return took


def main() -> None:
    """Make the day, ask, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of rows; default 1")
    parser.add_argument(
        "--times", type=int, default=20, help="how often each question is measured; default 20"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument(
        "--keep", type=Path, help="the data directory: filled if it is empty, else asked as it is"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuseboard-answers-") as temporary:
        folder = asked.keep or Path(temporary)
        made = filled(folder, asked.scale)
        found = answers(folder, made, asked.times)
    report(made, found, asked.json)


def answers(folder: Path, made: Day, times: int) -> dict[str, tuple[float, float]]:
    """Ask a collector over *folder* everything; returns p50 and p95 by question, milliseconds."""
    with serving(folder) as port:
        every = {**questions(made), "trace by id": trace_question(port, made.end_s)}
        found = {name: measure(port, *question, times) for name, question in every.items()}
        late = sorted(tail(port, times))
    found["tail, 2xx to viewer"] = (statistics.median(late), late[max(0, -(-len(late) * 95 // 100) - 1)])
    return found


def report(made: Day, found: Mapping[str, tuple[float, float]], as_json: bool) -> None:
    """Print what was found."""
    rows = {"logs": made.logs, "spans": made.spans, "samples": made.samples}
    if as_json:
        print(json.dumps({"rows": rows, "ms": found}))
        return
    print(", ".join(f"{count:,} {name}" for name, count in rows.items()))
    for name, (p50, p95) in found.items():
        most = TARGETS_MS.get(name)
        verdict = "" if most is None else f"  {'met' if p50 <= most else 'missed'}: at most {most:,.0f}"
        print(f"{name:58} p50 {p50:8.1f} ms   p95 {p95:8.1f} ms{verdict}")


if __name__ == "__main__":
    main()
