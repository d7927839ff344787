"""The relay under clients that are slow, many, or repeat themselves."""

import http.client
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from agents.errors import BadRequest
from agents.intake import Intake
from agents.ledger import Ledger
from agents.settings_values import RelaySettings
from agents.sources import Origin, relay_http
from agents.sources.relay import RECENT, Recent, RelaySource
from agents.spool import Spool

TRANSITION = b'{"breaker":"payment","to":"open","at":"2026-01-01T00:00:00Z"}'
JSON = "application/json"


@pytest.fixture
def ledger(tmp_path):
    """The books."""
    return Ledger(tmp_path / "checkpoint.json")


@pytest.fixture
def relay(tmp_path, ledger):
    """A relay over a real spool, in this process."""
    spool = Spool(tmp_path / "spool", ledger, 1 << 24, "block")
    origin = Origin(ledger.agent, {"service.name": "checkout"})
    intake = Intake(spool, threading.Event())
    source = RelaySource(RelaySettings(("127.0.0.1", 0), 100_000), origin, intake, ledger)
    source.start()
    yield source
    source.stop()
    spool.close()


def port(relay):
    """Where it listens."""
    return int(relay.address.rpartition(":")[2])


def post(relay, body, **headers):
    """Send one transition; (status, headers)."""
    connection = http.client.HTTPConnection("127.0.0.1", port(relay), timeout=60)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", "/v1/breakers", body, {"Content-Type": JSON} | names)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers
    finally:
        connection.close()


def blocks(ledger):
    """How many blocks were read."""
    return sum(counters.read_blocks for counters in ledger.counters().counters.values())


def connected(relay):
    """A bare connection."""
    return socket.create_connection(("127.0.0.1", port(relay)), timeout=60)


def test_a_flood_of_connections_is_turned_away(relay, wait_for):
    """Beyond the cap a connection hears 503 at once and has no thread; when the others are gone there is room again."""
    before = set(threading.enumerate())

    def handlers() -> int:
        new = set(threading.enumerate()) - before
        return sum("process_request_thread" in thread.name for thread in new)

    with ExitStack() as idle:
        for number in range(1, relay_http.MAX_CONNECTIONS + 1):
            idle.enter_context(connected(relay))
            if number % 20 == 0:  # more at a time than it may keep waiting are not all heard of
                wait_for(lambda number=number: handlers() == number, "a thread for each")
        for _ in range(50):
            with connected(relay) as beyond:
                assert beyond.recv(1000).startswith(b"HTTP/1.1 503 ")

        assert handlers() == relay_http.MAX_CONNECTIONS

    def is_taken() -> bool:
        try:
            return post(relay, TRANSITION)[0] == 200
        except OSError:  # turned away while it was being sent
            return False

    wait_for(is_taken, "room")


@pytest.mark.parametrize(
    "start",
    [
        b"POST /v1/bre",
        b"POST /v1/breakers HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /v1/breakers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{",
    ],
    ids=["request line", "headers", "body"],
)
def test_a_slow_client_is_given_up(relay, ledger, monkeypatch, start):
    """A byte now and then does not hold a thread beyond the deadline, and half a body is nothing."""
    monkeypatch.setattr(relay_http, "REQUEST_S", 0.5)
    began = time.monotonic()
    with connected(relay) as slow:
        slow.sendall(start)
        slow.settimeout(0.05)
        ended = False
        while not ended and time.monotonic() - began < 60:
            try:
                slow.sendall(b" ")
                ended = slow.recv(1000) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True

    assert ended
    assert time.monotonic() - began > 0.4
    assert blocks(ledger) == 0


def test_a_refusal_is_heard_by_a_client_that_is_still_sending(relay):
    """413 arrives although megabytes were on their way when it was said."""
    assert post(relay, b"x" * 5_000_000)[0] == 413


def test_bodies_beyond_the_memory_for_them_wait_and_then_come_again(relay, monkeypatch):
    """When others hold all the room, 503 with Retry-After."""
    monkeypatch.setattr(relay_http, "PATIENCE_S", 0.1)
    with relay._server.bodies.hold(relay_http.BODIES_BYTES):
        status, headers = post(relay, TRANSITION)

    assert (status, headers["Retry-After"]) == (503, "1")
    assert post(relay, TRANSITION)[0] == 200


def test_a_repeat_is_not_read_again(relay, ledger):
    """The same transition with its time, or the same body under one key, is one block; the repeat says so."""
    first, again = post(relay, TRANSITION), post(relay, TRANSITION)
    timeless = b'{"breaker":"payment","to":"open"}'
    keyed = [post(relay, timeless, Idempotency_Key="k") for _ in range(2)]

    assert [status for status, _ in (first, again, *keyed)] == [200] * 4
    assert [headers["Fuseboard-Duplicate"] for _, headers in (first, again, *keyed)] == [None, "true"] * 2
    assert blocks(ledger) == 2
    assert post(relay, TRANSITION, Idempotency_Key="k")[0] == 409
    assert post(relay, timeless)[0] == post(relay, timeless)[0] == 200
    assert blocks(ledger) == 4


def test_what_is_remembered_is_bounded(monkeypatch):
    """The oldest are forgotten by number and by age; the collector still knows them."""
    recent = Recent()
    for number in range(RECENT + 1):
        recent.add(f"k{number}", "d")

    assert not recent.knows("k0", "d")
    assert recent.knows("k1", "d")
    with pytest.raises(BadRequest):
        recent.knows("k1", "another")
    monkeypatch.setattr("agents.sources.relay.RECENT_S", 0.0)
    assert not recent.knows("k1", "d")


def test_a_stopped_relay_takes_nothing(relay, ledger):
    """A request that comes in after the stop on a kept connection hears 503: its number will be another's."""
    connection = http.client.HTTPConnection("127.0.0.1", port(relay), timeout=60)
    connection.request("POST", "/v1/breakers", TRANSITION, {"Content-Type": JSON})
    connection.getresponse().read()
    relay.stop()
    connection.request("POST", "/v1/breakers", b'{"breaker":"b","to":"open"}', {"Content-Type": JSON})
    answer = connection.getresponse()

    assert (answer.status, answer.getheader("Connection")) == (503, "close")
    assert blocks(ledger) == 1
    connection.close()
