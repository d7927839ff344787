"""
What the sidecar costs: idle memory, CPU at 10 k lines/s, the first line's delay, how fast it follows one file; beside a peer.

    python benchmarks/agent.py [--lines 1000000] [--seconds 10] [--redact] [--json]

The agent is a process of its own (``python -m agents``), shipping over loopback into a sink in a third process that reads
every body and answers 200; **the sink stores and fsyncs nothing**. The agent does fsync each block before it ships it.
Lines are structlog-like JSON of ≈ 400 bytes, all different.

Baselines, in the same run and on the same file: (1) the floor: read it in 1 MiB blocks, compress with zstd level 1, write and
fsync each batch of 8 blocks, and nothing else, in one thread; (2) syslog-ng, the one log shipper with an HTTP output that Debian
packages (``shippers.py`` says how it is set up; not compared when it is not installed: ``apt-get install syslog-ng-core
syslog-ng-mod-http``).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import shippers
from backports import zstd
from shippers import Shipper
from sink import Sink

BLOCK_BYTES = 1 << 20
RATE = 10_000
FIRST_LINES = 20
Start = Callable[[Path, Path, int], Shipper]
TARGETS: dict[str, tuple[str, float]] = {
    "idle_rss_mb": ("<=", 35.0),
    "cpu_at_10k_cores": ("<=", 0.06),
    "first_line_s": ("<=", 0.5),
    "lines_per_s": (">=", 400_000.0),
}
SERVICES = ("checkout", "payment", "cart", "catalog", "inventory")
FORBIDDEN = (
    "collector",
    "dashboards",
    "pydantic",
    "structlog",
    "httpx",
    "fastapi",
    "urllib3",
    "asyncio",
)


def main() -> int:
    """Measure, print, and say which targets were met (exit 1 when one was not)."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, default=1_000_000, help="in the file that is followed")
    parser.add_argument("--seconds", type=float, default=10.0, help="of idling, and of 10 k lines/s")
    parser.add_argument("--redact", action="store_true", help="also with all redaction presets")
    parser.add_argument("--json", action="store_true", help="only the figures, as JSON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agent-bench-") as name:
        figures = measure(Path(name), given.lines, given.seconds, redact=given.redact)
    print(json.dumps(figures, indent=2))
    met = {name: _met(figures["agent"][name], *target) for name, target in TARGETS.items()}
    for name, ok in met.items() if not given.json else ():
        way, bound = TARGETS[name]
        print(f"{'met   ' if ok else 'MISSED'} {name}: {figures['agent'][name]} (target {way} {bound:g})")
    return 0 if all(met.values()) else 1


def _met(value: float, way: str, bound: float) -> bool:
    return value <= bound if way == "<=" else value >= bound


def measure(home: Path, lines: int, seconds: float, *, redact: bool) -> dict[str, Any]:
    """Run every phase on files under *home*; one group of figures per shipper."""
    big = home / "big.log"
    with big.open("wb") as file:
        file.writelines(generated(lines))
    floor_s, floor_cpu_s = floor(big, home / "floor.bin")
    figures: dict[str, Any] = {
        "lines": lines,
        "line_bytes": round(big.stat().st_size / lines, 1),
        "modules_imported": imports(),
        "floor": {
            "lines_per_s": round(lines / floor_s),
            "cpu_s_per_million": per_million(floor_cpu_s, lines),
        },
    }
    for name, start in contenders():
        found = steady(home / name / "steady", start, seconds) | follow(
            home / name / "max", big, lines, start
        )
        found["cpu_over_floor"] = round(found["cpu_s_per_million"] / per_million(floor_cpu_s, lines), 2)
        figures[name] = found
    if redact:
        presets = '[redact]\npresets = ["tokens", "cards", "emails"]\n'

        def redacting(place: Path, log: Path, port: int) -> Shipper:
            return shippers.agent(place, log, port, presets)

        figures["agent, redacting"] = follow(home / "redact", big, lines, redacting, changed=True)
    return figures


def contenders() -> Iterator[tuple[str, Start]]:
    """Give the shippers by name."""
    yield "agent", shippers.agent
    if shippers.has_syslog_ng():
        yield "syslog-ng, memory", lambda home, log, port: shippers.syslog_ng(home, log, port, durable=False)
        yield "syslog-ng, disk", lambda home, log, port: shippers.syslog_ng(home, log, port, durable=True)


def generated(count: int, seed: int = 1) -> Iterator[bytes]:
    """Make *count* different lines of ≈ 400 bytes."""
    source = random.Random(seed)
    for number in range(count):
        record = {
            "timestamp": f"2026-11-22T20:{number // 60000 % 60:02d}:{number // 1000 % 60:02d}.{number % 1000:03d}Z",
            "level": source.choice(("info", "info", "info", "warning", "error")),
            "event": "order_priced",
            "service": source.choice(SERVICES),
            "trace_id": f"{source.getrandbits(128):032x}",
            "span_id": f"{source.getrandbits(64):016x}",
            "http.route": source.choice(("/cart/{id}", "/checkout", "/products/{id}")),
            "http.response.status_code": source.choice((200, 200, 200, 404, 500)),
            "duration_ms": round(source.expovariate(0.05), 3),
            "instance": f"{source.choice(SERVICES)}-{source.randrange(9)}",
            "user": f"user-{source.randrange(100000)}",
            "message": f"priced order {number} of customer {source.randrange(10**6)} in warehouse north-east",
        }
        yield (json.dumps(record) + "\n").encode()


def imports() -> int:
    """Count what a running agent has imported, and refuse what it must not."""
    code = (
        "import sys, agents.__main__, agents.pipeline, agents.sources.files; print('\\n'.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=shippers.ROOT
    )
    modules = done.stdout.split()
    bad = [name for name in modules if name.partition(".")[0] in FORBIDDEN]
    assert not bad, f"the agent imports {bad}"
    return len(modules)


def steady(home: Path, start: Start, seconds: float) -> dict[str, float]:
    """Idle, then single lines, then 10 k lines/s, with one process."""
    home.mkdir(parents=True)
    log = home / "steady.log"
    log.touch()
    with Sink() as sink, start(home, log, sink.port) as shipper:
        before = shippers.settle(shipper)
        idle_rss_mb = shipper.rss_mb()
        time.sleep(seconds)
        idle_cpu_s = shipper.cpu_s() - before
        delays = first_lines(log, sink)
        before = shipper.cpu_s()
        sent = paced(log, seconds)
        sink.wait_for(log.stat().st_size, 30)
        return {
            "idle_rss_mb": idle_rss_mb,
            "idle_cpu_cores": round(idle_cpu_s / seconds, 4),
            "first_line_s": round(max(delays), 3),
            "first_line_median_s": round(statistics.median(delays), 3),
            "paced_lines_per_s": round(sent / seconds),
            "cpu_at_10k_cores": round((shipper.cpu_s() - before) / seconds, 4),
            "rss_at_10k_mb": shipper.rss_mb(),
        }


def first_lines(log: Path, sink: Sink) -> list[float]:
    """Write a line to a quiet file and take the time until the sink has it, again and again at uneven moments."""
    source = random.Random(3)
    delays: list[float] = []
    for line in generated(FIRST_LINES):
        time.sleep(0.3 + source.random() / 2)
        with log.open("ab", buffering=0) as file:
            file.write(line)
        wrote_at = time.monotonic()
        sink.wait_for(log.stat().st_size, 30)
        delays.append(sink.last_at.value - wrote_at)
    return delays


def paced(log: Path, seconds: float) -> int:
    """Append 10 k lines/s in steps of 50 ms; the answer is how many."""
    lines = list(generated(RATE))
    step = RATE // 20
    began = time.monotonic()
    sent = 0
    with log.open("ab", buffering=0) as file:
        while (elapsed := time.monotonic() - began) < seconds:
            while sent < elapsed * RATE:
                file.write(b"".join(lines[sent % RATE : sent % RATE + step]))
                sent += step
            time.sleep(0.05)
    return sent


def follow(home: Path, log: Path, lines: int, start: Start, *, changed: bool = False) -> dict[str, float]:
    """Read one large file from its beginning; *changed* when the bytes that arrive are not those of the file."""
    with Sink() as sink, start(home, log, sink.port) as shipper:
        sink.first.wait(30)
        began, before = time.monotonic() - 0.02, shipper.cpu_s()
        if changed:
            sink.wait_until_quiet()
        else:
            sink.wait_for(log.stat().st_size, 300)
        elapsed_s = sink.last_at.value - began
        return {
            "lines_per_s": round(lines / elapsed_s),
            "cpu_s_per_million": per_million(shipper.cpu_s() - before, lines),
            "peak_rss_mb": shipper.peak_mb(),
        }


def floor(log: Path, out: Path) -> tuple[float, float]:
    """Read, compress and fsync the file without an agent; (elapsed s, CPU s)."""
    compressor = zstd.ZstdCompressor(level=1)
    began, cpu = time.monotonic(), time.process_time()
    with log.open("rb", buffering=0) as file, out.open("wb", buffering=0) as target:
        for number, block in enumerate(iter(lambda: file.read(BLOCK_BYTES), b"")):
            target.write(compressor.compress(block, mode=zstd.ZstdCompressor.FLUSH_FRAME))
            if number % 8 == 7:
                os.fdatasync(target.fileno())
        os.fdatasync(target.fileno())
    out.unlink()
    return time.monotonic() - began, time.process_time() - cpu


def per_million(cpu_s: float, lines: int) -> float:
    """Scale CPU seconds to a million lines."""
    return round(cpu_s * 1e6 / lines, 3)


if __name__ == "__main__":
    sys.exit(main())
