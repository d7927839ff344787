"""The live tail over a real socket."""

import json
import re
import socket
import time
from contextlib import contextmanager

import pytest

from collector.api.v1.logs import LogRecord
from collector.query.window import sql_time
from tests.collector.read.real_store import log

TAIL = "/api/v1/logs/tail"


@contextmanager
def watching(client, **asked):
    """An open tail: the answer, and an iterator over its blocks."""
    headers = {"Last-Event-ID": asked.pop("last")} if "last" in asked else {}
    with client.stream("GET", TAIL, params=asked, headers=headers) as answer:
        yield answer, blocks(answer)


def blocks(answer):
    """Blocks between blank lines, as they come."""
    block = []
    for line in answer.iter_lines():
        if line:
            block.append(line)
        elif block:
            yield block
            block = []


def records(stream, count):
    """The next *count* records with their ids."""
    found = []
    for block in stream:
        data = [line[6:] for line in block if line.startswith("data: ")]
        if data and not block[0].startswith("event"):
            found.append((block[0].removeprefix("id: "), json.loads(data[0])))
        if len(found) == count:
            return found
    return found


@pytest.fixture(autouse=True)
def _alone(served_tail, poll):
    """Who watched in the test before has left: its place becomes free a moment after its connection was closed."""
    poll(lambda: not served_tail._groups, every_s=0.01)


@pytest.fixture
def stored(fill):
    """Stores one segment of records now."""

    def store(*bodies, batch="t"):
        now = sql_time(time.time_ns())
        at = {"occurred_at": now, "observed_at": now, "batch_id": batch}
        fill("logs", [log(0, body, **at, line=line) for line, body in enumerate(bodies)])
        fill(
            "batches",
            [
                {
                    "received_at": now,
                    "stored_at": now,
                    "batch_id": batch,
                    "signal": "logs",
                    "retention_days": 3000,
                }
            ],
        )

    return store


def test_new_records_arrive_as_events_of_the_contracts_shape(client, stored):
    """The stream opens at once; each record is one event with the object of /logs and an id."""
    with watching(client, query="payment") as (answer, stream):
        next(stream)
        stored("payment refused", "other", "payment taken")
        found = records(stream, 2)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert [LogRecord.model_validate(row).body for _, row in found] == ["payment refused", "payment taken"]


@pytest.mark.parametrize("way", ["last", "cursor"])
def test_a_client_comes_back_behind_its_last_event(client, stored, way):
    """By the header that browsers send, or as a parameter."""
    with watching(client) as (_, stream):
        next(stream)
        stored("one", "two")
        identifier = records(stream, 1)[0][0]
    stored("three", batch="u")

    with watching(client, **{way: identifier}) as (_, stream):
        assert [row["body"] for _, row in records(stream, 2)] == ["two", "three"]


def test_silence_is_broken_by_signs_of_life(client):
    """Comments come while nothing is stored, with an id to come back to."""
    with watching(client) as (_, stream):
        seen = [next(stream) for _ in range(5)]

    assert [": alive"] in seen
    assert seen[-1][0].startswith((": alive", "id: "))


@pytest.mark.parametrize(
    ("asked", "code", "param"),
    [
        ({"query": "service:a )"}, "query_syntax", "query"),
        ({"query": "/(/"}, "bad_regex", "query"),
        ({"cursor": "nonsense"}, "bad_cursor", "cursor"),
        ({"last": "nonsense"}, "bad_cursor", "cursor"),
        ({"since": "yesterday"}, "bad_time", "since"),
        ({"start": "-1h"}, "unknown_parameter", "start"),
    ],
)
def test_bad_questions_are_400s_before_the_stream_begins(client, asked, code, param):
    """A wrong search, id or parameter is the contract's error body."""
    with watching(client, **asked) as (answer, _):
        answer.read()

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)


def test_one_viewer_too_many_is_told_so_and_a_place_becomes_free(client, poll):
    """429 with Retry-After and the number; a client that goes away frees its place."""
    with watching(client), watching(client), watching(client):
        full = client.get(TAIL)

    assert (full.status_code, full.json()["error"]["code"]) == (429, "tail_full")
    assert "3 viewers" in full.json()["error"]["message"]
    assert full.headers["retry-after"] == "30"

    def free():
        with watching(client) as (answer, _):
            return answer.status_code == 200

    poll(free)


def test_a_viewer_that_does_not_read_is_told_what_it_missed(client, stored):
    """Memory for it is bounded; when it reads again it gets what waited, the number of the rest, and then what is new."""
    segments, lines = 8, 1500
    with socket.create_connection((client.base_url.host, client.base_url.port)) as slow:
        slow.sendall(b"GET /api/v1/logs/tail HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        slow.recv(100)  # it has begun
        with watching(client, query="last") as (_, stream):
            next(stream)
            for number in range(segments):
                stored(*["x" * 3000] * lines, batch=f"s{number}")
            stored("last", batch="last")
            records(stream, 1)  # the hub has been through all of it
        told, left_out = accounted(slow, segments * lines + 1)

    assert told + left_out == segments * lines + 1
    assert left_out > 0


def accounted(connection, expected):
    """Read until as many records as *expected* are accounted for: (told, left out)."""
    connection.settimeout(60)
    deadline, rest, told, left_out = time.monotonic() + 120, b"", 0, 0
    while told + left_out < expected and time.monotonic() < deadline:
        *blocks, rest = (rest + connection.recv(1 << 20)).split(b"\n\n")
        for block in blocks:
            told += b'data: {"id"' in block
            found = re.search(rb'event: skipped\ndata: {"records":(\d+)}', block)
            left_out += int(found[1]) if found else 0
    return told, left_out
