"""
What the sidecar costs: idle memory, CPU at 10 k lines/s, and how fast it follows one file.

    python benchmarks/agent.py [--lines 1000000] [--seconds 10] [--redact]

The agent is a process of its own (``python -m agents``), shipping over loopback into a sink in a third process that reads
every body and answers 200; **the sink stores and fsyncs nothing**. The agent does fsync each block before it ships it.
Lines are structlog-like JSON of ≈ 400 bytes, all different.

Baseline, in the same run and on the same file: read it in 1 MiB blocks, compress with zstd level 1, write and fsync each
batch of 8 blocks, and nothing else, in one thread. The ratio is the agent's figure over that floor's.
"""

import argparse
import http.server
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Self

from backports import zstd

TICKS = os.sysconf("SC_CLK_TCK")
BLOCK_BYTES = 1 << 20
RATE = 10_000
TARGETS = {"idle_rss_mb": 40.0, "cpu_at_10k_cores": 0.10, "max_lines_per_s": 300_000.0}
SERVICES = ("checkout", "payment", "cart", "catalog", "inventory")
FORBIDDEN = ("collector", "dashboards", "pydantic", "structlog", "httpx", "fastapi", "urllib3", "asyncio")


def main() -> int:
    """Measure, print, and say which targets were met (exit 1 when one was not)."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--redact", action="store_true", help="also with all redaction presets")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agent-bench-") as name:
        figures = measure(Path(name), given.lines, given.seconds, redact=given.redact)
    print(json.dumps(figures, indent=2))
    met = {
        "idle_rss_mb": figures["idle_rss_mb"] <= TARGETS["idle_rss_mb"],
        "cpu_at_10k_cores": figures["cpu_at_10k_cores"] <= TARGETS["cpu_at_10k_cores"],
        "max_lines_per_s": figures["max_lines_per_s"] >= TARGETS["max_lines_per_s"],
    }
    for target, ok in met.items():
        print(f"{'met ' if ok else 'MISSED'} {target}: {figures[target]} (target {TARGETS[target]})")
    return 0 if all(met.values()) else 1


def measure(home: Path, lines: int, seconds: float, *, redact: bool) -> dict[str, Any]:
    """Run every phase on files under *home*."""
    big = home / "big.log"
    with big.open("wb") as file:
        file.writelines(generated(lines))
    figures: dict[str, Any] = {"lines": lines, "line_bytes": round(big.stat().st_size / lines, 1)}
    figures |= imports()
    figures |= steady(home, seconds)
    floor_s, floor_cpu_s = floor(big, home / "floor.bin")
    figures |= {
        "floor_lines_per_s": round(lines / floor_s),
        "floor_cpu_s_per_million": per_million(floor_cpu_s, lines),
    }
    for label, presets in (("max", ()), *((("redacted", ("tokens", "cards", "emails")),) if redact else ())):
        elapsed_s, cpu_s, peak_mb = follow(home / label, big, presets)
        figures |= {
            f"{label}_lines_per_s": round(lines / elapsed_s),
            f"{label}_cpu_s_per_million": per_million(cpu_s, lines),
            f"{label}_peak_rss_mb": peak_mb,
            f"{label}_elapsed_over_floor": round(elapsed_s / floor_s, 2),
            f"{label}_cpu_over_floor": round(cpu_s / floor_cpu_s, 2),
        }
    return figures


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


def imports() -> dict[str, Any]:
    """Count what a running agent has imported, and refuse what it must not."""
    code = (
        "import sys, agents.__main__, agents.pipeline, agents.sources.files; print('\\n'.join(sys.modules))"
    )
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    bad = [name for name in modules if name.partition(".")[0] in FORBIDDEN]
    assert not bad, f"the agent imports {bad}"
    return {"modules_imported": len(modules)}


def steady(home: Path, seconds: float) -> dict[str, Any]:
    """Idle, then 10 k lines/s, with one agent."""
    log = home / "steady.log"
    log.touch()
    with Sink() as sink, Agent(home / "steady", log, sink.port) as agent:
        time.sleep(2)
        idle_rss_mb, before = agent.rss_mb(), agent.cpu_s()
        time.sleep(seconds)
        idle_cpu = (agent.cpu_s() - before) / seconds
        before = agent.cpu_s()
        sent = paced(log, seconds)
        wait_for(sink, log.stat().st_size, 30)
        busy_cpu = (agent.cpu_s() - before) / seconds
        return {
            "idle_rss_mb": idle_rss_mb,
            "idle_cpu_cores": round(idle_cpu, 4),
            "paced_lines_per_s": round(sent / seconds),
            "cpu_at_10k_cores": round(busy_cpu, 4),
            "rss_at_10k_mb": agent.rss_mb(),
        }


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


def follow(home: Path, log: Path, presets: tuple[str, ...]) -> tuple[float, float, float]:
    """Read one large file from its beginning; (elapsed s, CPU s, peak RSS MB)."""
    home.mkdir()
    size = 0 if presets else log.stat().st_size
    with Sink() as sink, Agent(home, log, sink.port, presets) as agent:
        sink.first.wait(30)
        began = time.monotonic() - 0.02
        wait_for(sink, size, 300) if size else wait_until_idle(sink, agent)
        elapsed_s = sink.last_at.value - began
        return elapsed_s, agent.cpu_s() - agent.started_cpu_s, agent.peak_mb()


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


class Agent:
    """A running ``python -m agents`` that follows one file."""

    def __init__(self, home: Path, log: Path, port: int, presets: tuple[str, ...] = ()) -> None:
        home.mkdir(exist_ok=True)
        config = home / "agent.toml"
        config.write_text(
            f'collector = "http://127.0.0.1:{port}"\ndata_dir = "{home}/data"\n'
            f'[resource]\n"service.name" = "bench"\n[[files]]\npaths = ["{log}"]\nstart_at = "beginning"\n'
            f"[redact]\npresets = {json.dumps(presets)}\n"
        )
        command = [sys.executable, "-m", "agents", "--config", str(config)]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.started_cpu_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(30) == 0, "the agent did not drain"

    def cpu_s(self) -> float:
        """Give user + system seconds used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_mb(self) -> float:
        """Give the resident memory."""
        return self._status("VmRSS")

    def peak_mb(self) -> float:
        """Give the largest resident memory so far."""
        return self._status("VmHWM")

    def _status(self, name: str) -> float:
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(round(int(line.split()[1]) / 1024, 1) for line in lines if line.startswith(name))


class Sink:
    """A collector that keeps nothing, in a process of its own."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.received: Synchronized[int] = context.Value("q", 0)
        self.last_at: Synchronized[float] = context.Value("d", 0.0)
        self.first = context.Event()
        port = context.Value("i", 0)
        ready = context.Event()
        arguments = (port, ready, self.first, self.received, self.last_at)
        self._process = context.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        assert ready.wait(30), "the sink did not start"
        self.port = int(port.value)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()


def serve(port: Any, ready: Any, first: Any, received: Any, last_at: Any) -> None:
    """Answer every request 200; add up the content sizes that the zstd frames declare."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/lines":
                with received.get_lock():
                    received.value += zstd.get_frame_info(body).decompressed_size
                    last_at.value = time.monotonic()
                first.set()
            answer = b'{"accepted":0,"lines":0,"batch":"","duplicate":false}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.value = server.server_address[1]
    ready.set()
    threading.Thread(target=server.serve_forever).run()


def wait_for(sink: Sink, size: int, timeout_s: float) -> None:
    """Wait until the sink has *size* bytes."""
    deadline = time.monotonic() + timeout_s
    while sink.received.value < size:
        assert time.monotonic() < deadline, f"{sink.received.value} of {size} bytes after {timeout_s} s"
        time.sleep(0.01)
    assert sink.received.value == size, f"{sink.received.value} bytes came, {size} were written"


def wait_until_idle(sink: Sink, agent: Agent) -> None:
    """Wait until nothing has come for 2 s: redaction changes how many bytes there will be."""
    while time.monotonic() - sink.last_at.value < 2:
        time.sleep(0.1)
    assert agent.rss_mb() > 0


if __name__ == "__main__":
    sys.exit(main())
