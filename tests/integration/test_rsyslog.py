"""
Debian's rsyslog forwards to a running collector, as its users set it up: RFC 5424 counted in octets, 3164 by lines, 3164 over UDP, and
with a disk-assisted queue through an outage.

`make test` unpacks rsyslog into ``tests/.debian`` and installs it nowhere: it would take the place of another syslog on the machine.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, eventually, free_port

UNPACKED = ROOT / "tests" / ".debian"
RSYSLOGD = UNPACKED / "usr" / "sbin" / "rsyslogd"
pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not RSYSLOGD.exists(), reason="Debian's rsyslog is unpacked by `make test`"),
]

_SETTINGS = """
global(workDirectory="{folder}")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{folder}/log" RateLimit.Interval="0")
template(name="own" type="string" string="<%pri%>%timegenerated% %hostname% %syslogtag%%msg%")
if $programname == "octets" then {{ action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="octet-counted"
  template="RSYSLOG_SyslogProtocol23Format" queue.type="LinkedList" queue.filename="outage" queue.maxDiskSpace="50m" queue.saveOnShutdown="on"
  action.resumeRetryCount="-1" action.resumeInterval="1") stop }}
if $programname == "lines" then {{ action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="RSYSLOG_TraditionalForwardFormat") stop }}
if $programname == "iso" then {{ action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="RSYSLOG_ForwardFormat") stop }}
if $programname == "udp" then {{ action(type="omfwd" target="127.0.0.1" port="{port}" protocol="udp" template="RSYSLOG_TraditionalForwardFormat") stop }}
"""
PROGRAMS = ("octets", "lines", "iso", "udp")


class Rsyslog:
    """
    One rsyslogd in the foreground.

    Args:
        folder: Its socket, queue and settings.
        port: The collector's, for syslog.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.socket = folder / "log"
        settings = folder / "rsyslog.conf"
        settings.write_text(_SETTINGS.format(folder=folder, port=port))
        libraries = sorted(
            path for path in (UNPACKED / "usr" / "lib").iterdir() if (path / "rsyslog").is_dir()
        )
        environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))}
        command = [RSYSLOGD, "-n", "-f", settings, "-i", folder / "pid", "-M", ":".join(f"{path}/rsyslog/" for path in libraries)]  # fmt: skip
        with (folder / "rsyslog.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        eventually(self.socket.exists)

    def log(self, program: str, *messages: str) -> None:
        """Log as a program of the machine does, through the socket."""
        subprocess.run(
            ["logger", "--socket", self.socket, "--tag", program, "--id=77", "-p", "local3.warning"],
            input="\n".join(messages).encode(),
            check=True,
            timeout=60,
        )

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(timeout=60)


@pytest.fixture
def port() -> int:
    """A port for syslog."""
    return free_port()


@pytest.fixture
def served(serve: Callable[..., Any], port: int) -> Any:
    """A collector that takes syslog."""
    return serve(f"syslog_port = {port}\n")


@pytest.fixture
def rsyslog(tmp_path: Path, port: int) -> Iterator[Rsyslog]:
    """Debian's rsyslogd, forwarding to that port."""
    found = Rsyslog(tmp_path, port)
    yield found
    found.stop()


def bodies(served: Any, program: str) -> list[str]:
    """What arrived of one program, sorted."""
    return sorted(row["body"] for row in served.data("/logs", query=f"service:{program}", limit=1000))


def arrived(served: Any, poll: Callable[..., Any], program: str, count: int) -> Any:
    """The same, once there are so many."""
    return poll(lambda: found if len(found := bodies(served, program)) >= count else None)


def test_each_way_of_forwarding_is_understood(
    served: Any, rsyslog: Rsyslog, poll: Callable[..., Any]
) -> None:
    """The tag is the service, the priority the severity; two hundred lines of each over TCP, none twice; the time is the line's own."""
    said = {program: [f"{program} says number {number:04}" for number in range(200)] for program in PROGRAMS}
    for program, messages in said.items():
        rsyslog.log(program, *messages[:1] if program == "udp" else messages)

    for program, messages in said.items():
        wanted = messages[:1] if program == "udp" else messages
        assert arrived(served, poll, program, len(wanted)) == wanted
        row = served.data("/logs", query=f"service:{program}", limit=1)[0]
        assert (row["severity"], row["attributes"]["syslog.facility"]) == ("warn", "local3")
        assert row["attributes"]["syslog.procid"] == "77"
        assert row["resource"]["host.name"]
        assert "fuseboard.original_time" not in row["attributes"]


def test_an_outage_is_bridged_by_its_queue(served: Any, rsyslog: Rsyslog, poll: Callable[..., Any]) -> None:
    """What is logged while the collector is away is forwarded once it is back, each line once."""
    rsyslog.log("octets", "before")
    poll(lambda: bodies(served, "octets") == ["before"])
    assert served.stop() == 0

    rsyslog.log("octets", *[f"meanwhile {number:04}" for number in range(500)])
    served.start()

    wanted = ["before", *[f"meanwhile {number:04}" for number in range(500)]]
    assert arrived(served, poll, "octets", len(wanted)) == wanted
