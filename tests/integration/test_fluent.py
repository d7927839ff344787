"""Senders of Fluent's forward protocol against a running collector: PyPI's fluent-logger, npm's, and bytes to the letter of the specification."""

from __future__ import annotations

import gzip
import hashlib
import logging
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgpack
import pytest
from fluent.handler import FluentHandler, FluentRecordFormatter
from fluent.sender import FluentSender

from tests.conftest import ROOT, free_port

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("fluent"), pytest.mark.timeout(180)]
NODE = ROOT / "tests" / "node"


@pytest.fixture(scope="module")
def port() -> int:
    """A port for forward."""
    return free_port()


@pytest.fixture(scope="module")
def served(serve_module: Callable[..., Any], port: int) -> Any:
    """A collector that takes it."""
    return serve_module(f"fluent_port = {port}\nbody_bytes = 1000000\n")


@pytest.fixture(scope="module")
def shared_port() -> int:
    """Another."""
    return free_port()


@pytest.fixture(scope="module")
def guarded(serve_module: Callable[..., Any], shared_port: int) -> Any:
    """A collector that asks for a shared key, and has keys of its own."""
    return serve_module(
        f'fluent_port = {shared_port}\nfluent_shared_key = "open sesame"\nfluent_key = "in"\ningest_key = "in"\nread_key = "out"\n'
    )


class Connection:
    """A sender that speaks the protocol by hand."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._messages = msgpack.Unpacker()

    def send(self, *message: object) -> None:
        """Send one message."""
        self.write(msgpack.packb(list(message)))

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._socket.sendall(data)

    def answer(self) -> Any:
        """The next message of the server; ``None`` = it hung up."""
        while True:
            for message in self._messages:
                return message
            try:
                data = self._socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._messages.feed(data)

    def end(self) -> None:
        """Say that nothing more is sent."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


@pytest.fixture
def connect() -> Iterator[Callable[[int], Connection]]:
    """Connections that are closed afterwards."""
    made: list[Connection] = []

    def connect(port: int) -> Connection:
        made.append(Connection(port))
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


def arrived(served: Any, poll: Callable[..., Any], service: str, count: int) -> list[dict[str, Any]]:
    """Log records of a service, once there are so many."""
    found: list[dict[str, Any]] = poll(
        lambda: (
            rows
            if len(rows := served.data("/logs", query=f'service:"{service}"', limit=500)) >= count
            else None
        )
    )
    return found


def test_fluent_logger_is_understood(served: Any, poll: Callable[..., Any], port: int) -> None:
    """Its sender with EventTime, and its handler for logging with fields: the tag is the service, each event once."""
    sender = FluentSender("py-fluent", port=port, timeout=60, nanosecond_precision=True)
    for number in range(200):
        assert sender.emit(None, {"message": f"event {number}", "level": "warning", "number": number})
    sender.close()
    handler = FluentHandler("py-handler", port=port, timeout=60)
    handler.setFormatter(FluentRecordFormatter({"level": "%(levelname)s", "where": "%(name)s"}))
    log = logging.getLogger("fluent-shop")
    log.addHandler(handler)
    log.error({"message": "it is full", "order": 7})
    log.removeHandler(handler)
    handler.close()

    rows = arrived(served, poll, "py-fluent", 200)
    [handled] = arrived(served, poll, "py-handler", 1)

    assert sorted(int(row["attributes"]["number"]) for row in rows) == list(range(200))
    assert {row["severity"] for row in rows} == {"warn"}
    assert not any("fuseboard.original_time" in row["attributes"] for row in rows)
    assert (handled["body"], handled["severity"], handled["attributes"]["order"]) == (
        "it is full",
        "error",
        "7",
    )


@pytest.mark.skipif(not (NODE / "node_modules" / "@fluent-org").exists(), reason="installed by `make test`")
@pytest.mark.parametrize("mode", ["Message", "Forward", "PackedForward", "CompressedPackedForward"])
def test_nodes_logger_is_acknowledged(
    guarded: Any, poll: Callable[..., Any], shared_port: int, mode: str
) -> None:
    """@fluent-org/logger with a shared key and acknowledgements, in each mode of the protocol: each event once, its promise kept."""
    node = Path(sys.executable).with_name("node")
    done = subprocess.run(
        [str(node), "fluent.mjs", str(shared_port), f"node-{mode.lower()}", mode, "open sesame"],
        cwd=NODE, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]

    query = {"query": f"SELECT attributes['number'] AS n FROM logs WHERE service = 'node-{mode.lower()}'"}

    def numbers() -> list[int]:
        answer = guarded.client.post("/api/v1/sql", json=query, headers={"Authorization": "Bearer out"})
        return sorted(int(row["n"]) for row in answer.json()["data"])

    poll(lambda: len(numbers()) >= 40)
    assert numbers() == list(range(40))


def test_a_chunk_is_acknowledged_once_it_is_durable_and_stored_once(
    served: Any, poll: Callable[..., Any], port: int, connect: Callable[[int], Connection]
) -> None:
    """Fluentd sends a chunk again whose acknowledgement it did not see: over another connection, the same id, not twice in the table."""
    events = b"".join(
        msgpack.packb([msgpack.ExtType(0, struct.pack(">II", 1441588984, n)), {"log": f"line {n}"}])
        for n in range(3)
    )
    message = [
        "chunked",
        gzip.compress(events),
        {"compressed": "gzip", "size": 3, "chunk": "p8n9gmxTQVC8/nh2wlKKeQ=="},
    ]
    for _ in range(2):
        connection = connect(port)
        connection.send(*message)
        assert connection.answer() == {"ack": "p8n9gmxTQVC8/nh2wlKKeQ=="}
    connection.send("chunked", [], {"chunk": "empty"})
    assert connection.answer() == {"ack": "empty"}

    rows = arrived(served, poll, "chunked", 3)

    assert sorted(row["body"] for row in rows) == ["line 0", "line 1", "line 2"]
    assert {row["attributes"]["fuseboard.original_time"][:10] for row in rows} == {"1441588984"}


def test_what_was_sent_without_asking_survives_sigterm(
    serve: Callable[..., Any], connect: Callable[[int], Connection]
) -> None:
    """Events that were read are durable before the process ends."""
    port = free_port()
    served = serve(f"fluent_port = {port}\n")
    connection = connect(port)
    for number in range(500):
        connection.send("last", 1, {"log": f"number {number}"})
    connection.end()
    assert connection.answer() is None  # it has read everything

    assert served.stop() == 0
    rows = served.tables("SELECT count() AS n, uniqExact(body) AS different FROM logs WHERE service = 'last'")
    assert [(int(row["n"]), int(row["different"])) for row in rows] == [(500, 500)]


HOSTILE = {
    "not messagepack": b"\xc1" * 100,
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a number": b"\x01",
    "no record": msgpack.packb(["t", 1, "x"]),
    "deep": b"\x91" * 5000,
    "a string of 4 GB": b"\x93\xdb\xff\xff\xff\xff" + b"x" * 1_100_000,
    "an array without an end": b"\x92\xa1t\xdc\xff\xff" + b"\x92\x01\x80" * 400_000,
    "an array of 4 G": b"\x92\xa1t\xdd\xff\xff\xff\xff",
    "a bad gzip": msgpack.packb(["t", b"xx", {"compressed": "gzip"}]),
    "metrics": msgpack.packb(["t", b"", {"fluent_signal": 1}]),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_bytes_end_their_own_connection_only(
    served: Any, port: int, connect: Callable[[int], Connection], what: str
) -> None:
    """Cut off without an acknowledgement; the next connection is served."""
    bad, good = connect(port), connect(port)
    with suppress(ConnectionError):  # it may be cut off before all is written
        bad.write(HOSTILE[what])

    assert bad.answer() is None
    good.send("after", [[1, {"log": what}]], {"chunk": what})
    assert good.answer() == {"ack": what}
    assert "fuseboard_fluent_refused_connections_total" in served.client.get("/metrics").text


def test_a_shared_key_has_to_be_known(
    guarded: Any, shared_port: int, connect: Callable[[int], Connection]
) -> None:
    """HELO, PING with the digest of it, PONG with the server's own; another key, or none, is told no and cut off."""
    assert guarded.port

    def ping(connection: Connection, key: bytes) -> Any:
        helo = connection.answer()
        assert helo[0] == "HELO"
        told = b"salt" + b"web-1" + helo[1]["nonce"]
        connection.send("PING", "web-1", b"salt", hashlib.sha512(told + key).hexdigest(), "", "")
        return helo[1]["nonce"], connection.answer()

    knows, guesses, hasty = (connect(shared_port) for _ in range(3))
    nonce, pong = ping(knows, b"open sesame")
    _, refused = ping(guesses, b"sesame open")
    hasty.answer()
    hasty.send("t", [[1, {"log": "x"}]], {"chunk": "c"})

    assert pong[:4] == ["PONG", True, "", "fuseboard"]
    assert pong[4] == hashlib.sha512(b"salt" + b"fuseboard" + nonce + b"open sesame").hexdigest()
    knows.send("shared", [[1, {"log": "known"}]], {"chunk": "k"})
    assert knows.answer() == {"ack": "k"}
    assert refused[:2] == ["PONG", False]
    assert guesses.answer() is None
    assert hasty.answer()[1] is False
    assert hasty.answer() is None
