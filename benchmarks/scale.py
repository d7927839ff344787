"""
How long the answers about services take in a large system: 200 services, 2,000 edges, a month of rollups, over the collector's HTTP API.

    python benchmarks/scale.py [--days 30] [--dense 2] [--times 7] [--window 1h] [--only /map,/deploys] [--now] [--fresh] [--keep FOLDER]

The rows are `month.py`'s. A collector is started over them and asked on one connection, each question twice before it is measured, *times*
times after. Prints the median in milliseconds, CPU of collector and engine per answer beyond what they take idle (on a busy machine that is what counts), what ClickHouse read, and whether it is within `MOST_MS`; ends with 1 if one is not.
With ``--now`` the question is about now, as pages ask (who keeps present states answers), and the minutes since the rows end are added first. With ``--fresh`` each
question is about a time 61 s earlier than the one before, so that nothing read for another serves it. ``--keep`` keeps the filled data directory in FOLDER and uses it again if it is there (the windows end where its rows end).
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
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.month import Size, fill, settle, top_up  # noqa: E402
from collector.engine.process import Engine  # noqa: E402
from collector.store.client import Store  # noqa: E402
from collector.store.migrate import migrate  # noqa: E402

MOST_MS = 300.0
# Two questions so far apart share nothing that is kept for a pass or a minute (collector/read/kept.py).
FRESH_S = 61
# Alerting and the canary work beside: on a busy machine, where an answer takes seconds, that is not the answer's.
IDLE_S = 6.0
# Path -> parameters besides start and end. Each answer must have rows, but the last: nobody is ill in this month.
QUESTIONS: dict[str, dict[str, str]] = {
    "/services": {},
    "/map": {},
    "/endpoints": {"limit": "1000"},
    "/deploys": {},
    "/queues": {},
    "/gateway": {},
    "/hot": {},
    "/databases": {},
    "/catalogue": {},
    "/breakers": {},
    "/breakers/svc-004/breaker-0": {},
    "/breakers/transitions": {"limit": "1000"},
    "/bulkheads": {},
    "/causes": {},
}
_UNITS_S = {"m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Asked:
    """One question's median, what it took of collector and engine on the average, and the stats of its last answer."""

    path: str
    took_ms: float
    cpu_ms: float
    rows: int
    stats: dict[str, Any]


def main() -> None:
    """Fill, start, ask."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--dense", type=int, default=2)
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--window", default="1h")
    parser.add_argument("--only", default="")
    parser.add_argument("--now", action="store_true")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        end_s = filled(folder, Size(days=options.days, dense=options.dense))
        if options.now:
            end_s = topped_up(folder, end_s)
        with collector(folder) as (port, pid):
            late = report(port, pid, end_s, options)
    sys.exit(1 if late else 0)


def filled(folder: Path, size: Size) -> int:
    """Fill *folder* unless it is; returns where its rows end, seconds since the epoch."""
    done = folder / "filled"
    if done.exists():
        return int(done.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    end_s = int(time.time()) // 60 * 60
    with _store(folder) as store:
        for line in fill(store, size, end_s):
            print(line, file=sys.stderr)
        settle(store)
    done.write_text(str(end_s))
    return end_s


def topped_up(folder: Path, end_s: int) -> int:
    """Add the minutes since *end_s* to the rollups by minute: else nobody has been heard of for as long; returns where rows end."""
    now_s = int(time.time()) // 60 * 60
    if now_s > end_s:
        with _store(folder) as store:
            top_up(store, Size(), end_s, now_s)
        (folder / "filled").write_text(str(now_s))
    return now_s


@contextmanager
def _store(folder: Path) -> Iterator[Store]:
    engine = Engine(folder / "engine")
    engine.start()
    try:
        while engine.state.state != "up":
            time.sleep(0.05)
        store = Store(engine.target, 600)
        migrate(store)
        yield store
    finally:
        engine.stop()


@contextmanager
def collector(folder: Path) -> Iterator[tuple[int, int]]:
    """Run a collector over *folder*; gives its port and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "collector", "serve", "--data-dir", str(folder), "--port", str(port)]
    environment = {**os.environ, "FUSEBOARD_CANARY_INTERVAL_S": "0", "FUSEBOARD_GRPC_PORT": "0"}
    with (folder / "collector.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=environment)
    try:
        _wait_ready(process, port)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)


def _wait_ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("the collector does not start")


def report(port: int, pid: int, end_s: int, options: argparse.Namespace) -> list[Asked]:
    """Ask each question; print and return those that took too long."""
    chosen = options.only.split(",") if options.only else list(QUESTIONS)
    if unknown := [path for path in chosen if path not in QUESTIONS]:
        raise SystemExit(f"--only {unknown[0]!r} is no question: choose of {', '.join(QUESTIONS)}")
    start_s = end_s - int(options.window[:-1]) * _UNITS_S[options.window[-1]]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    window = {} if options.now else {"start": start_s, "end": end_s}
    idle = idling(pid)
    found = [ask(connection, path, window, options, pid, idle) for path in chosen]
    connection.close()
    for each in found:
        said = "" if each.took_ms <= MOST_MS else f"   more than {MOST_MS:.0f} ms"
        read = f"{each.stats['rows_read']:>12,} read, {each.stats['elapsed_ms']:8.1f} ms in ClickHouse"
        cpu = f"{each.cpu_ms:7.0f} ms of CPU"
        print(f"{each.path:28} {each.took_ms:8.1f} ms {cpu} {each.rows:6} rows {read}{said}")
    return [each for each in found if each.took_ms > MOST_MS]


def cpu_ms(pid: int) -> float:
    """CPU of a collector and its engine so far."""
    used = 0
    # whichever thread began it: the engine is its supervisor's child
    begun = [each.read_text().split() for each in Path(f"/proc/{pid}/task").glob("*/children")]
    for each in (pid, *(int(child) for children in begun for child in children)):
        fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        used += int(fields[11]) + int(fields[12])
    return used * 1000 / os.sysconf("SC_CLK_TCK")


def idling(pid: int) -> float:
    """CPU of a collector and its engine while nothing is asked, ms per second."""
    before, began = cpu_ms(pid), time.monotonic()
    time.sleep(IDLE_S)
    return (cpu_ms(pid) - before) / (time.monotonic() - began)


def ask(
    connection: http.client.HTTPConnection,
    path: str,
    window: dict[str, int],
    options: argparse.Namespace,
    pid: int,
    idle: float,
) -> Asked:
    """Ask one question over and over, about the same time unless *options* say fresh."""
    times, fresh = options.times, options.fresh
    took, body, cpu, since = [], b"", 0.0, 0.0
    for turn in range(times + 2):
        if turn == 2:
            cpu, since = cpu_ms(pid), time.monotonic()
        earlier_s = turn * FRESH_S if fresh else 0
        asked = {name: at_s - earlier_s for name, at_s in window.items()}
        target = f"/api/v1{path}?{urlencode({**QUESTIONS[path], **asked})}"
        began = time.perf_counter()
        connection.request("GET", target)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {body[:500]!r}")
        if turn >= 2:
            took.append((time.perf_counter() - began) * 1000)
    cpu = max(cpu_ms(pid) - cpu - idle * (time.monotonic() - since), 0.0) / times
    page = json.loads(body)
    if window and not page["data"] and path != "/causes":
        raise SystemExit(f"{path}: no rows")
    return Asked(path, statistics.median(took), cpu, len(page["data"]), page["stats"])


if __name__ == "__main__":
    main()
