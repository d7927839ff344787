"""Stock syslog senders against a running collector: logger of util-linux over TCP and UDP, and Python's handler."""

from __future__ import annotations

import logging
import logging.handlers
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import free_port

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("sdk"), pytest.mark.timeout(300)]

FLAVOURS = {
    "tcp-octets": ["--tcp", "--rfc5424", "--octet-count", "--msgid", "ID47"],
    "tcp-lines": ["--tcp", "--rfc5424"],
    "udp-5424": ["--udp", "--rfc5424"],
    "udp-3164": ["--udp", "--rfc3164"],
}


@pytest.fixture(scope="module")
def port() -> int:
    """A port for syslog."""
    return free_port()


@pytest.fixture(scope="module")
def served(serve_module: Callable[..., Any], port: int) -> Any:
    """A collector that takes syslog."""
    return serve_module(f"syslog_port = {port}\n")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_logger_is_understood(served: Any, poll: Callable[..., Any], port: int, flavour: str) -> None:
    """Its tag is the service, its priority the severity, its process id an attribute; the text is the body."""
    command = [
        "logger",
        "--server",
        "127.0.0.1",
        "--port",
        str(port),
        *FLAVOURS[flavour],
        "--tag",
        flavour,
        "--id=77",
        "-p",
        "local3.warning",
        "it is full: 98 %",
    ]
    subprocess.run(command, check=True, timeout=60)

    [row] = poll(lambda: served.data("/logs", query=f'service:"{flavour}"'))

    assert (row["body"], row["severity"]) == ("it is full: 98 %", "warn")
    assert (row["attributes"]["syslog.facility"], row["attributes"]["syslog.procid"]) == ("local3", "77")
    assert row["resource"]["host.name"]


def test_pythons_handler_is_understood_line_by_line(served: Any, poll: Callable[..., Any], port: int) -> None:
    """Many messages on one TCP connection, ended by NULs, JSON in some: each once."""
    handler = logging.handlers.SysLogHandler(("127.0.0.1", port), socktype=socket.SOCK_STREAM)
    handler.setFormatter(logging.Formatter('python: {"msg":"%(message)s","service":"py-handler"}'))
    log = logging.getLogger("syslog-shop")
    log.addHandler(handler)
    for number in range(300):
        log.error("line %d", number)
    handler.close()

    rows = poll(
        lambda: found if len(found := served.data("/logs", query='"py-handler"', limit=500)) >= 300 else None
    )

    assert sorted(int(row["body"].rpartition("line ")[2].split('"')[0]) for row in rows) == list(range(300))


def test_what_was_read_survives_sigterm(serve: Callable[..., Any]) -> None:
    """Messages that were read and not journalled yet are durable before the process ends."""
    port = free_port()
    served = serve(f"syslog_port = {port}\n")
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"".join(b"<13>1 - - last - - - number %d\n" % number for number in range(1000)))
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""  # it has read everything

    assert served.stop() == 0
    rows = served.tables("SELECT count() AS n, uniqExact(body) AS different FROM logs WHERE service = 'last'")
    assert [(int(row["n"]), int(row["different"])) for row in rows] == [(1000, 1000)]
