"""
The other ways in: each protocol over HTTP into a running collector, fsync before each 2xx, next to ClickHouse alone.

    python benchmarks/paths.py [--records N] [--json] [path …]

For each path a collector of its own (so that memory and merges are this path's) takes bodies as the protocol's real clients send them
(`telemetry.py`; built before the clock starts) from two senders, each after the 2xx of the one before; afterwards there are exactly as many
records as were sent. Indexes and views are on. Printed per path:

    records/s        from the first byte until the last record is searchable
    steady/s         the same without the time in which nothing is done but gather the last, small segment; what the target is about
    acked/s          until the last 2xx
    CPU-s/M          per million records: collector, engine, senders, and collector and engine once merging has gone quiet (settled)
    2 cores/s        what two cores kept busy would take: of 2 CPU-seconds a second those used idling, over what collector, engine and senders
                     used per record beyond idling. On a machine that does other work this holds, and what the wall clock says does not
    target           records/s, and whether it is met: by steady/s, by what two cores would take, or not
    RSS              peak of collector and engine, MB
    ratio            CPU of collector and engine until the last is searchable, over that of ClickHouse alone (`alone.py`)

The baseline, in the same run: a ClickHouse process alone that loads the same bodies as sealed segments with the same mapping into the same tables,
two at a time. Ratios hold across machines; absolute figures do not. Targets are records per second on two cores that also run the senders.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from ingest import Collector, settle  # noqa: E402
from telemetry import HISTOGRAMS, SENDERS, Sender  # noqa: E402

from collector.formats.registry import PROTOCOLS  # noqa: E402
from collector.journal.envelope import Head  # noqa: E402
from collector.journal.writer import SEAL_BYTES, SEAL_RAW_BYTES  # noqa: E402
from tests.collector.formats.segments import segment  # noqa: E402

_TARGETS = {
    "otlp_logs": 120_000,
    "otlp_traces": 100_000,
    "otlp_metrics": 150_000,
    "remote_write": 300_000,
    "remote_write_v2": 300_000,
    "exposition": 300_000,
}
_PATHS = {**SENDERS, "otlp_histograms": HISTOGRAMS}
# So many that the last segment's gathering is a small part of the time, and so few that a run stays short.
_RECORDS = {
    "otlp_logs": 1_000_000,
    "otlp_traces": 1_000_000,
    "otlp_metrics": 1_500_000,
    "otlp_histograms": 1_500_000,
}
_MANY = 3_000_000
_SENDERS = 2
_CORES = 2
_IDLE_S = 5.0
# Each look costs the collector milliseconds, which on a machine that does other work would be a part of what is measured.
_LOOK_S = 0.25


@dataclass(frozen=True)
class Figures:
    """What one path measured; CPU in seconds per million records."""

    path: str
    records: int
    records_per_s: float
    steady_per_s: float
    acknowledged_per_s: float
    cpu_collector: float
    cpu_engine: float
    cpu_senders: float
    idle_cores: float
    two_cores_per_s: float
    cpu_settled: float
    rss_collector_mb: float
    rss_engine_mb: float
    baseline_cpu: float
    baseline_per_s: float
    cpu_ratio: float
    target_per_s: int

    @property
    def met(self) -> str:
        """Say by what the target is met."""
        reached = {"yes": self.steady_per_s, "by CPU": self.two_cores_per_s}
        return next((how for how, rate in reached.items() if rate >= self.target_per_s), "no")


@dataclass(frozen=True)
class Post:
    """One request, built before the clock starts."""

    raw: bytes
    body: bytes
    headers: dict[str, str]
    records: int


def built(sender: Sender, records: int) -> list[Post]:
    """Return bodies of at least *records* records."""
    bodies = sender.bodies(7, -(-records // sender.size), sender.size)
    return [
        Post(raw, sender.encode(raw), {**sender.headers, **sender.varying(number)}, count)
        for number, (raw, count) in enumerate(bodies)
    ]


def send(port: int, path: str, posts: list[Post]) -> None:
    """Post over one connection, each after the 2xx of the one before."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for post in posts:
        while True:
            connection.request("POST", path, body=post.body, headers=post.headers)
            answer = connection.getresponse()
            told = answer.read()
            if answer.status in (200, 204):
                break
            if answer.status not in (429, 503):
                raise SystemExit(f"{path}: {answer.status} {told[:300]!r}")
            time.sleep(float(answer.headers.get("Retry-After", "1")))
    connection.close()


@dataclass(frozen=True)
class Flood:
    """Seconds until the last 2xx, until the last record is searchable, and of those spent on gathering alone; the senders' CPU-seconds."""

    acknowledged_s: float
    searchable_s: float
    gathering_s: float
    senders_cpu_s: float


def flood(collector: Collector, sender: Sender, posts: list[Post]) -> Flood:
    """Send everything from two senders; then a reader asks until all of it is there."""
    count = sum(post.records for post in posts)
    began, used = time.monotonic(), time.process_time()
    senders = [
        threading.Thread(target=send, args=(collector.port, sender.path, posts[i::_SENDERS]))
        for i in range(_SENDERS)
    ]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join()
    acknowledged_s, senders_cpu_s = time.monotonic() - began, time.process_time() - used
    gathering_s, looked = 0.0, time.monotonic()
    while stored(collector, sender.table) < count:
        if not collector.get("/api/v1/pipeline")["data"][0]["journal"]["segments_waiting"]:
            gathering_s += time.monotonic() - looked
        looked = time.monotonic()
        time.sleep(_LOOK_S)
    return Flood(acknowledged_s, time.monotonic() - began, gathering_s, senders_cpu_s)


def idling(collector: Collector, pids: tuple[int, int]) -> float:
    """Cores that collector and engine use for nothing in particular."""
    before, began = sum(map(collector.cpu_s, pids)), time.monotonic()
    time.sleep(_IDLE_S)
    return (sum(map(collector.cpu_s, pids)) - before) / (time.monotonic() - began)


def stored(collector: Collector, table: str) -> int:
    """Rows of *table*, the canary's lines not among them."""
    own = " WHERE service != 'fuseboard'" if table == "logs" else ""
    query = json.dumps({"query": f"SELECT count() AS found FROM {table}{own}"})
    connection = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=60)
    connection.request("POST", "/api/v1/sql", body=query, headers={"Content-Type": "application/json"})
    rows = json.loads(connection.getresponse().read())["data"]
    connection.close()
    return int(rows[0]["found"])


def measure(name: str, sender: Sender, records: int, folder: Path) -> Figures:
    """Run one path and its baseline."""
    posts = built(sender, records)
    count = sum(post.records for post in posts)
    collector = Collector(folder / "data")
    pids = (collector.process.pid, collector.engine_pid)
    try:
        settle(collector)
        idle_cores = idling(collector, pids)
        before = [collector.cpu_s(pid) for pid in pids]
        took = flood(collector, sender, posts)
        after = [collector.cpu_s(pid) for pid in pids]
        if (found := stored(collector, sender.table)) != count:
            raise SystemExit(f"{name}: {count} records sent, {found} found")
        settled = settle(collector)
        peaks = [collector.peak_mb(pid) for pid in pids]
    finally:
        collector.stop()
    base = alone(sender, posts, folder)
    million = count / 1_000_000
    cpu = [(end - start) / million for start, end in zip(before, after, strict=True)]
    cpu.append(took.senders_cpu_s / million)
    beyond_s = sum(cpu) * million - idle_cores * took.searchable_s
    return Figures(
        name, count, count / took.searchable_s, count / (took.searchable_s - took.gathering_s), count / took.acknowledged_s, *cpu, idle_cores,
        (_CORES - idle_cores) * count / beyond_s, (settled - sum(before)) / million, *peaks, base["cpu_s"] / million, count / base["wall_s"],
        sum(cpu[:2]) * million / base["cpu_s"], _TARGETS.get(name, 0),
    )  # fmt: skip


def alone(sender: Sender, posts: list[Post], folder: Path) -> dict[str, float]:
    """Load the same bodies with ClickHouse alone."""
    paths = []
    for number, gathered in enumerate(gather(posts)):
        path = folder / f"{number}.seg"
        path.write_bytes(segment(_records(gathered, number)))
        paths.append(str(path))
    protocol = next(protocol for protocol in PROTOCOLS if protocol.name == sender.name)
    lacks = protocol.judge(posts[0].raw, {}).lacks  # for which the collector reads nothing, either
    command = [
        sys.executable,
        str(ROOT / "benchmarks/alone.py"),
        sender.name,
        ",".join(table for table in protocol.tables if table not in lacks),
        str(folder / "baseline"),
        *paths,
    ]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=folder)
    return json.loads(done.stdout)


def gather(posts: list[Post]) -> list[list[Post]]:
    """Gather bodies to segments as large as the journal's."""
    segments: list[list[Post]] = [[]]
    raw = size = 0
    for post in posts:
        segments[-1].append(post)
        raw, size = raw + len(post.raw), size + len(post.body)
        if raw >= SEAL_RAW_BYTES or size >= SEAL_BYTES:
            segments.append([])
            raw = size = 0
    return [gathered for gathered in segments if gathered]


def _records(posts: list[Post], number: int) -> list[tuple[Head, bytes]]:
    now = time.time_ns()
    return [(Head(f"{number}-{nth}", now, _declared(post)), post.raw) for nth, post in enumerate(posts)]


def _declared(post: Post) -> dict[str, str]:
    told = post.headers.get("Fuseboard-Resource", "")
    return dict(pair.split("=", 1) for pair in told.split(",") if pair)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, help="per path; default: a million and more")
    parser.add_argument("--json", action="store_true", help="only the figures, as JSON")
    parser.add_argument("paths", nargs="*", metavar="path", help=", ".join(_PATHS))
    given = parser.parse_args()
    if unknown := set(given.paths) - set(_PATHS):
        parser.error(f"unknown path {', '.join(sorted(unknown))}; known: {', '.join(_PATHS)}")
    figures = []
    for name in given.paths or _PATHS:
        folder = Path(tempfile.mkdtemp(prefix="fuseboard-paths-"))
        try:
            records = given.records or _RECORDS.get(name, _MANY)
            figures.append(measure(name, _PATHS[name], records, folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if not given.json:
            tell(figures[-1], header=len(figures) == 1)
    if given.json:
        print(json.dumps([asdict(figure) for figure in figures], indent=2))


def tell(figures: Figures, *, header: bool) -> None:
    """Print one line, before the first what its columns are."""
    if header:
        print(f"{'path':16} {'records/s':>10} {'steady/s':>9} {'acked/s':>9} {'2 cores/s':>9} {'target':>8} {'met':>6} {'coll.':>6} {'engine':>7} {'senders':>7}"
              f" {'settled':>8} {'idle':>5} {'RSS MB':>11} {'alone':>6} {'alone/s':>9} {'ratio':>6}")  # fmt: skip
    rss = f"{figures.rss_collector_mb:.0f} + {figures.rss_engine_mb:.0f}"
    print(f"{figures.path:16} {figures.records_per_s:10,.0f} {figures.steady_per_s:9,.0f} {figures.acknowledged_per_s:9,.0f} {figures.two_cores_per_s:9,.0f}"
          f" {figures.target_per_s:8,} {figures.met:>6} {figures.cpu_collector:6.2f} {figures.cpu_engine:7.2f} {figures.cpu_senders:7.2f} {figures.cpu_settled:8.2f}"
          f" {figures.idle_cores:5.2f} {rss:>11} {figures.baseline_cpu:6.2f} {figures.baseline_per_s:9,.0f} {figures.cpu_ratio:6.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
