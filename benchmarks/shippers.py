"""
What is measured: our agent, and the log shippers that this machine's package manager has, as processes.

``syslog-ng`` (Debian: syslog-ng-core and syslog-ng-mod-http) follows the same file and posts to the same sink, in batches of
at most 2,500 lines or 1 MiB from two workers: once with its queue in memory and once with its reliable disk buffer, which is what
our spool has to be compared with (ours fsyncs each block before it ships it, theirs leaves that to the kernel).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

TICKS = os.sysconf("SC_CLK_TCK")
ROOT = Path(__file__).parents[1]


class Shipper:
    """A running process and what it uses."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        with log.open("wb") as out:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)

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


def agent(home: Path, log: Path, port: int, more: str = "") -> Shipper:
    """Start ``python -m agents`` on one file; *more* is TOML behind its settings."""
    home.mkdir(parents=True, exist_ok=True)
    config = home / "agent.toml"
    config.write_text(
        f'collector = "http://127.0.0.1:{port}"\ndata_dir = "{home}/data"\n'
        f'[resource]\n"service.name" = "bench"\n[[files]]\npaths = [{json.dumps(str(log))}]\nstart_at = "beginning"\n{more}'
    )
    return Shipper([sys.executable, "-m", "agents", "--config", str(config)], home / "agent.log")


def syslog_ng(home: Path, log: Path, port: int, *, durable: bool) -> Shipper:
    """Start syslog-ng on one file; *durable* gives it its reliable disk buffer."""
    home.mkdir(parents=True, exist_ok=True)
    buffer = (
        f'disk-buffer(reliable(yes) disk-buf-size(2147483648) mem-buf-size(67108864) dir("{home}"))'
        if durable
        else "log-fifo-size(200000)"
    )
    config = home / "syslog-ng.conf"
    config.write_text(
        f"""@version: 3.35
options {{ stats-freq(0); log-msg-size(1048576); }};
source s {{ file("{log}" follow-freq(0.25) flags(no-parse) read-old-records(yes)
                 log-fetch-limit(10000) log-iw-size(100000)); }};
destination d {{ http(url("http://127.0.0.1:{port}/v1/lines") method("POST") body("$MESSAGE") workers(2)
                      batch-lines(2500) batch-bytes(1048576) batch-timeout(250) timeout(30) {buffer}); }};
log {{ source(s); destination(d); flags(flow-control); }};
"""
    )
    command = ["syslog-ng", "--foreground", "--no-caps", "-f", str(config)]
    files = {"-R": "state", "-p": "pid", "-c": "control"}
    return Shipper(
        [*command, *(part for flag, name in files.items() for part in (flag, f"{home}/{name}"))], home / "log"
    )


def has_syslog_ng() -> bool:
    """Say whether the peer is installed."""
    return shutil.which("syslog-ng") is not None


def settle(shipper: Shipper, seconds: float = 2.0) -> float:
    """Let a shipper come to rest; the answer is its CPU time then."""
    time.sleep(seconds)
    return shipper.cpu_s()
