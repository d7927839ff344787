"""
Ingest: one million log lines over HTTP into a running collector, fsync before each 2xx, next to ClickHouse alone.

    python benchmarks/ingest.py [--lines N] [--json]

Measured: lines/s until the last line is searchable, CPU-seconds per million of collector and engine (senders not counted),
peak resident memory, bytes on disk after merging, and for every batch the time from being received (before its 2xx) to its segment's
last table being written, read from the ledger and the collector's log, so that measuring costs the measured nothing: first at a steady
20,000 lines/s, then in the burst, where lines wait for those before them.

The baseline, in the same run on the same rows: a ClickHouse process alone loading the same lines from two plain files, on both cores, into the
same tables with the same mapping (`lines/logs.sql`); no HTTP, no journal, no tokens. Ratios hold across machines; absolute figures do not.

The lines lie in the hour before the run, a million an hour; of more than one million the earlier ones lie in the hours before, so that the
newest partition is a day's and the last hour is always a million. Each million is sent once the one before is searchable; its CPU stands beside
that of the others (merging goes on all the while and counts where it happens), and the questions of ``queries.py`` are asked after the first
million and after the last, each time about its own hour.

Idle is measured before the burst (paced lines merged, nothing asked, nobody sends) and stands beside the rest: ``cpu_idle`` is what the
same two processes would have used over the same span, from the first line to merging being quiet, and ``cpu_settled_less_idle`` is what is left.

Beside the CPU-seconds stand the seconds in which threads of either process could have run and had no core (the kernel's count): where they are many, an
acknowledgement that is late was waiting for one.

Targets (two cores): those of `TARGETS` and of ``queries.py``. ``--lines 20_000_000`` takes about eight minutes, 4 GB of disk and, of its own, 1.2 GB of memory.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from io import BufferedWriter
from pathlib import Path

import loglines
import queries
from backports import zstd

ROOT = Path(__file__).parents[1]
_BLOCK_BYTES = 1 << 20
_SENDERS = 2
_PACED_LINES_PER_S = 20_000
_PACED_S = 15
_IDLE_S = 20
# Merging is quiet once both processes used less than this share of a core above idle for so many looks in succession; a merge may begin late.
_QUIET_SHARE = 0.05
_QUIET_LOOKS = 4
_LOOK_S = 2.0
_ASK_S = 0.25
_SETTLE_AT_MOST_S = 90
_MILLION = 1_000_000
# Name of a figure -> at most (or, for a rate, at least) what the project wants of two cores.
TARGETS: dict[str, tuple[str, float]] = {
    "cpu_searchable": ("<=", 8.0),
    "cpu_settled": ("<=", 10.0),
    "cpu_ratio": ("<=", 1.4),
    "lines_per_s": (">=", 160_000.0),
    "acknowledge_p99_ms": ("<=", 30.0),
    "disk_mb_per_million": ("<=", 62.0),
    "rss_engine_mb": ("<=", 600.0),
}
_TICK = os.sysconf("SC_CLK_TCK")

_BASELINE = r"""
import json, resource, sys, threading, time
import chdb
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from collector.load.mapping import read_mappings
from collector.store.migrate import read_migrations
db, lines = sys.argv[2], sys.argv[3]
c = chdb.connect(db)
for m in read_migrations():
    for s in m.statements():
        c.query(s, "CSV")
mapping = read_mappings(Path(sys.argv[1]) / "collector/formats/lines", ("logs",))[0]
source = ("(SELECT 'b' AS batch_id, toUInt64(" + str(time.time_ns()) + ") AS received_at, "
          "map('service.name', 'bench', 'deployment.environment.name', 'bench') AS resource, map('', '') AS source, '' AS key_id, "
          "[]::Array(String) AS services, []::Array(String) AS envs, '' AS format, toUInt64(0) AS at, line AS body "
          "FROM file('" + lines + "', 'LineAsString', 'line String'))")
def cpu():
    r = resource.getrusage(resource.RUSAGE_SELF)
    return r.ru_utime + r.ru_stime
def load(half):
    handle = chdb.connect(db)
    handle.query("SET max_insert_threads = 1, async_insert = 0", "CSV")
    handle.query(mapping.sql.replace("segment('body String')", source.replace(lines, f"{lines}.{half}")), "CSV", params={"retention_days": "30", "kept": "[('', '', 30)]"})
    handle.close()
threads = [threading.Thread(target=load, args=(half,)) for half in (0, 1)]
began, before = time.time(), cpu()
[t.start() for t in threads]
[t.join() for t in threads]
print(json.dumps({"cpu_s": cpu() - before, "wall_s": time.time() - began,
                  "rows": int(c.query("SELECT count() FROM logs", "CSV").bytes())}))
"""


@dataclass(frozen=True)
class Figures:
    """What one run measured; CPU, and waiting for a core, in seconds per million lines."""

    lines: int
    lines_per_s: float
    acknowledged_per_s: float
    cpu_collector: float
    cpu_engine: float
    cpu_searchable: float
    cpu_settled: float
    cpu_idle: float
    cpu_settled_less_idle: float
    rss_collector_mb: float
    rss_engine_mb: float
    disk_mb_per_million: float
    acknowledge_p50_ms: float
    acknowledge_p99_ms: float
    collector_waits_for_core: float
    engine_waits_for_core: float
    searchable_p50_s: float
    searchable_p99_s: float
    burst_searchable_p50_s: float
    burst_searchable_p99_s: float
    baseline_cpu: float
    baseline_lines_per_s: float
    cpu_ratio: float
    cpu_by_million: list[float] = field(default_factory=list)
    questions_ms: dict[str, float] = field(default_factory=dict)
    questions_after_first_million_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """A million lines (the last one may be fewer): an hour of them, as zstd bodies of about 1 MB raw in a file of all."""

    path: Path
    places: list[tuple[int, int]]
    lines: int
    sample: queries.Sample

    def bodies(self, number: int) -> Iterator[bytes]:
        """Those that sender *number* sends."""
        with self.path.open("rb", buffering=0) as file:
            for start, size in self.places[number::_SENDERS]:
                yield os.pread(file.fileno(), size, start)


class Collector:
    """A ``fuseboard serve`` process under measurement."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [
            sys.executable,
            "-m",
            "collector",
            "serve",
            "--data-dir",
            str(folder),
            "--port",
            str(self.port),
        ]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.log = folder.parent / "collector.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=out)
        self._wait()
        self.engine_pid = self.get("/api/v1/pipeline")["data"][0]["engine"]["pid"]

    def get(self, path: str) -> dict:
        """JSON of one GET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise OSError(f"{path}: {answer.status} {body[:200]!r}")
        return json.loads(body)

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                self.get("/readyz")
            except OSError:
                time.sleep(0.2)
            else:
                return
        raise SystemExit("the collector did not become ready")

    def cpu_s(self, pid: int) -> float:
        """CPU-seconds a process has used."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def waited_s(self, pid: int) -> float:
        """Seconds that a process's threads could have run and had no core: what an acknowledgement waits for when the disk is quick."""
        waited = 0.0
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):  # a thread that has ended meanwhile
                waited += int((task / "schedstat").read_text().split()[1]) / 1e9
        return waited

    def peak_mb(self, pid: int) -> float:
        """Peak resident memory in MB."""
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
        return 0.0

    def stop(self) -> None:
        """SIGTERM and wait."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=90)


def send(port: int, blocks: Iterable[bytes], took_ms: list[float]) -> None:
    """Post *blocks* over one connection, each after the 2xx of the one before."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {
        "Content-Encoding": "zstd",
        "Fuseboard-Resource": "service.name=bench,deployment.environment.name=bench",
    }
    for block in blocks:
        while True:
            began = time.perf_counter()
            connection.request("POST", "/v1/lines", body=block, headers=headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                took_ms.append((time.perf_counter() - began) * 1000)
                break
            time.sleep(float(answer.headers.get("Retry-After", "1")))
    connection.close()


def write_stages(count: int, folder: Path) -> list[Stage]:
    """Write *count* lines as bodies into one file, a million a stage; the first million also as plain lines, for the baseline."""
    hours = -(-count // _MILLION)
    began = datetime.now(UTC) - timedelta(hours=hours)
    stages = []
    with (folder / "bodies").open("wb") as bodies, (folder / "lines.jsonl").open("wb") as plain:
        for hour in range(hours):
            lines = min(count - hour * _MILLION, _MILLION)
            start = began + timedelta(hours=hour)
            made = loglines.lines(lines, seed=7 + hour, start=start, per_s=max(1, lines // 3600 + 1))
            stages.append(_write_stage(made, lines, start, bodies, plain if hour == 0 else None))
    return stages


def _write_stage(
    made: Iterator[bytes], count: int, start: datetime, bodies: BufferedWriter, plain: BufferedWriter | None
) -> Stage:
    places, gathered, size, line = [], [], 0, b""
    for number, line in enumerate(made, 1):
        gathered.append(line + b"\n")
        size += len(gathered[-1])
        if size >= _BLOCK_BYTES or number == count:
            block = b"".join(gathered)
            places.append((bodies.tell(), bodies.write(zstd.compress(block, 1))))
            if plain is not None:
                plain.write(block)
            gathered, size = [], 0
    last = json.loads(line)
    sample = queries.Sample(
        last["trace_id"], last["event"].split()[-1], (start + timedelta(hours=1)).timestamp()
    )
    return Stage(Path(bodies.name), places, count, sample)


def stored(collector: Collector, hours: int) -> int:
    """Lines a search finds now."""
    path = f"/api/v1/logs/histogram?start=-{hours}h&buckets=1"
    return sum(row["total"] for row in collector.get(path)["data"])


def tables(folder: Path, sql: str) -> list[dict]:
    """Rows of *sql* from the stopped collector's database."""
    script = "import chdb, sys; sys.stdout.buffer.write(chdb.connect(sys.argv[1]).query(sys.argv[2], 'JSONEachRow').bytes())"
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder / "engine"), sql], check=True, capture_output=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def searchable(folder: Path, log: Path, burst_at: float) -> tuple[list[float], list[float]]:
    """Seconds from received to searchable of the batches before and after *burst_at*: the ledger's clock and the log's, both this machine's."""
    loaded = {}
    for line in log.read_text().splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("event") == "segment_loaded":
            loaded[event["segment"]] = datetime.fromisoformat(event["timestamp"]).timestamp()
    rows = tables(  # what the collector tells of itself gathers for as long as nobody reads
        folder,
        "SELECT segment, toUnixTimestamp64Nano(received_at) / 1e9 AS at FROM batches WHERE service != 'fuseboard'",
    )
    waits = [(row["at"], loaded[row["segment"]] - row["at"]) for row in rows]
    return [wait for at, wait in waits if at < burst_at], [wait for at, wait in waits if at >= burst_at]


def send_paced(collector: Collector, hours_ago: int) -> int:
    """Post lines, older than those of the burst, at a steady pace for a while, with a reader who asks once a second; how many."""
    start = datetime.now(UTC) - timedelta(hours=hours_ago)
    lines = list(loglines.lines(_PACED_LINES_PER_S * _PACED_S, seed=1, start=start))
    size = _PACED_LINES_PER_S // 8
    blocks = [zstd.compress(b"\n".join(lines[i : i + size]) + b"\n", 1) for i in range(0, len(lines), size)]
    began = time.monotonic()
    for number, block in enumerate(blocks):
        time.sleep(max(0.0, began + number / 8 - time.monotonic()))
        send(collector.port, [block], [])
        if number % 8 == 0:
            stored(collector, hours_ago + 1)
    wait_for(collector, hours_ago + 1, len(lines))
    return len(lines)


def wait_for(collector: Collector, hours: int, lines: int) -> None:
    """Ask as a reader does until so many lines are found: what nobody asks for gathers (docs/adr/0038)."""
    while stored(collector, hours) < lines:
        time.sleep(_ASK_S)


def send_stage(
    collector: Collector, stage: Stage, hours: int, lines: int, took_ms: list[float]
) -> tuple[float, float]:
    """Send a stage and wait until a search over *hours* finds *lines*; seconds until the last 2xx and until then."""
    began = time.monotonic()
    senders = [
        threading.Thread(target=send, args=(collector.port, stage.bodies(number), took_ms))
        for number in range(_SENDERS)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    acknowledged_s = time.monotonic() - began
    wait_for(collector, hours, lines)
    return acknowledged_s, time.monotonic() - began


def measure(count: int, folder: Path) -> Figures:
    """Run collector, then baseline, on the same lines."""
    stages = write_stages(count, folder)
    collector = Collector(folder / "data")
    pids = (collector.process.pid, collector.engine_pid)
    paced = send_paced(collector, len(stages) + 3)
    settle(collector)
    idle = idle_share(collector)
    burst_at = time.time()
    before = [collector.cpu_s(pid) for pid in pids]
    waited = [collector.waited_s(pid) for pid in pids]
    took_ms: list[float] = []
    seconds, used, first_ms, sent = [], [before], {}, paced
    for number, stage in enumerate(stages):
        sent += stage.lines
        seconds.append(send_stage(collector, stage, len(stages) + 5, sent, took_ms))
        used.append([collector.cpu_s(pid) for pid in pids])
        if number == 0 and len(stages) > 1:
            settle(collector, idle)
            first_ms = queries.ask(collector.port, stage.sample)
    after = used[-1]
    waits = [
        (collector.waited_s(pid) - earlier) * _MILLION / count
        for pid, earlier in zip(pids, waited, strict=True)
    ]
    if (found := stored(collector, len(stages) + 5)) != count + paced:
        raise SystemExit(f"{count + paced} lines sent, {found} found")
    settled = settle(collector, idle)
    span_s = time.time() - burst_at
    questions_ms = queries.ask(collector.port, stages[-1].sample)
    peaks = [collector.peak_mb(pid) for pid in pids]
    collector.stop()
    steady_s, waited_s = searchable(folder / "data", collector.log, burst_at)
    parts = tables(
        folder / "data",
        "SELECT sum(bytes_on_disk) AS size FROM system.parts WHERE active AND database = 'default'",
    )
    disk = int(parts[0]["size"])
    base = baseline(folder, folder / "lines.jsonl")
    million = count / _MILLION
    cpu = [(end - start) / million for start, end in zip(before, after, strict=True)]
    base_cpu = base["cpu_s"] / base["rows"] * _MILLION
    return Figures(
        lines=count,
        lines_per_s=count / sum(searchable_s for _, searchable_s in seconds),
        acknowledged_per_s=count / sum(acknowledged_s for acknowledged_s, _ in seconds),
        cpu_collector=cpu[0],
        cpu_engine=cpu[1],
        cpu_searchable=sum(cpu),
        cpu_settled=(settled - sum(before)) / million,
        cpu_idle=idle * span_s / million,
        cpu_settled_less_idle=(settled - sum(before) - idle * span_s) / million,
        rss_collector_mb=peaks[0],
        rss_engine_mb=peaks[1],
        disk_mb_per_million=disk / (million + paced / 1e6) / 1e6,
        acknowledge_p50_ms=quantile(took_ms, 0.5),
        acknowledge_p99_ms=quantile(took_ms, 0.99),
        collector_waits_for_core=waits[0],
        engine_waits_for_core=waits[1],
        searchable_p50_s=quantile(steady_s, 0.5),
        searchable_p99_s=quantile(steady_s, 0.99),
        burst_searchable_p50_s=quantile(waited_s, 0.5),
        burst_searchable_p99_s=quantile(waited_s, 0.99),
        baseline_cpu=base_cpu,
        baseline_lines_per_s=base["rows"] / base["wall_s"],
        cpu_ratio=sum(cpu) / base_cpu,
        cpu_by_million=[
            round((sum(end) - sum(start)) * _MILLION / stage.lines, 2)
            for start, end, stage in zip(used, used[1:], stages, strict=False)
        ],
        questions_ms=questions_ms,
        questions_after_first_million_ms=first_ms,
    )


def settle(collector: Collector, idle: float = _QUIET_SHARE) -> float:
    """CPU-seconds of both processes once merging has gone quiet: close to *idle* (share of a core) for a while, or never within the bound."""
    deadline, quiet, last = time.monotonic() + _SETTLE_AT_MOST_S, 0, used_s(collector)
    while quiet < _QUIET_LOOKS and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
        now = used_s(collector)
        quiet = quiet + 1 if now - last < (idle + _QUIET_SHARE) * _LOOK_S else 0
        last = now
    return last


def idle_share(collector: Collector) -> float:
    """Share of a core that both processes use while nothing arrives and nothing is asked."""
    before = used_s(collector)
    time.sleep(_IDLE_S)
    return (used_s(collector) - before) / _IDLE_S


def used_s(collector: Collector) -> float:
    """CPU-seconds of collector and engine so far."""
    return sum(collector.cpu_s(pid) for pid in (collector.process.pid, collector.engine_pid))


def baseline(folder: Path, lines: Path) -> dict:
    """ClickHouse alone on the same lines, half of them on each of two cores, as the collector's loader uses them."""
    rows = lines.read_bytes().splitlines(keepends=True)
    for half in (0, 1):
        Path(f"{lines}.{half}").write_bytes(b"".join(rows[half::2]))
    command = [sys.executable, "-c", _BASELINE, str(ROOT), str(folder / "baseline"), str(lines)]
    done = subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return json.loads(done.stdout)


def quantile(values: list[float], share: float) -> float:
    """Nearest-rank quantile; 0 without values."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fuseboard-bench-"))
    try:
        figures = measure(args.lines, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if args.json:
        print(json.dumps(asdict(figures), indent=2))
    else:
        show(figures)


def show(figures: Figures) -> None:
    """Print every figure, then what was wanted."""
    for name, value in asdict(figures).items():
        if not isinstance(value, list | dict):
            print(f"{name:24} {value:14,.3f}" if isinstance(value, float) else f"{name:24} {value:14,}")
    if len(figures.cpu_by_million) > 1:
        show_growth(figures)
    for name, (way, bound) in TARGETS.items():
        value = getattr(figures, name)
        met = value <= bound if way == "<=" else value >= bound
        print(f"{'met   ' if met else 'MISSED'} {name} {value:,.2f} (target {way} {bound:,g})")
    for name, took_ms in figures.questions_ms.items():
        bound = queries.AT_MOST_MS[name]
        print(f"{'met   ' if took_ms <= bound else 'MISSED'} {name} {took_ms:.1f} ms (target <= {bound:g})")


def show_growth(figures: Figures) -> None:
    """Print what each million cost, and what the same questions took of the newest hour, a million records, after the first and after the last."""
    by_million = figures.cpu_by_million
    for number, cpu_s in enumerate(by_million, 1):
        print(f"million {number:3}: {cpu_s:6.2f} CPU-s")
    half = len(by_million) // 2
    early, late = sum(by_million[:half]) / half, sum(by_million[-half:]) / half
    print(f"the later half of the millions costs {late / early:.2f} times what the earlier half costs")
    for name, last_ms in figures.questions_ms.items():
        first_ms = figures.questions_after_first_million_ms[name]
        print(
            f"{name:24} of the last hour: {first_ms:7.1f} ms after 1 M lines, {last_ms:7.1f} ms after {figures.lines / _MILLION:g} M"
        )


if __name__ == "__main__":
    main()
