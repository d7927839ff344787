"""The store client: rows as dicts, and a driver's exceptions as ours."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from collector.errors import StoreError, StoreRejected, StoreUnavailable
from collector.store.client import Store
from collector.store.target import Target


def test_rows_come_as_json_can_carry_them(store: Store) -> None:
    """Nanoseconds and 64-bit integers keep every digit; nothing is quoted that is a number."""
    answer = store.query(
        "SELECT toDateTime64('2026-11-22 21:30:00.123456789', 9, 'UTC') AS at, {n:UInt64} AS n, map('k', 'v') AS m, [1.5] AS a",
        {"n": 2**64 - 1},
    )

    assert answer.rows == [
        {"at": "2026-11-22T21:30:00.123456789Z", "n": 2**64 - 1, "m": {"k": "v"}, "a": [1.5]}
    ]
    assert answer.elapsed_ms > 0


def test_an_insert_is_stored_once(store: Store) -> None:
    """The same token, whatever was answered the first time."""
    store.command(
        "CREATE TABLE o (id UInt32, at DateTime64(9, 'UTC')) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 9"
    )
    for token in ("t1", "t1", "t2"):
        store.insert("o", [{"id": 1, "at": "2026-11-22T21:30:00.000000001Z"}], token)

    assert store.query("SELECT count() AS n, toString(any(at)) AS at FROM o").rows == [
        {"n": 2, "at": "2026-11-22 21:30:00.000000001"}
    ]


@pytest.mark.parametrize(
    ("sql", "kind", "code"),
    [
        ("SELECT * FROM nowhere", StoreRejected, 60),
        ("SELECT throwIf(1)", StoreRejected, 395),
        ("SELECT sleep(2) SETTINGS max_execution_time = 0.1", StoreUnavailable, 159),
        (
            "SELECT groupArray(number) FROM numbers(10000000) SETTINGS max_memory_usage = 1000000",
            StoreUnavailable,
            241,
        ),
    ],
    ids=["table", "data", "time", "memory"],
)
def test_a_no_and_a_not_now_are_told_apart(store: Store, sql: str, kind: type[StoreError], code: int) -> None:
    """A refusal of the data may be quarantined, want of time or memory must be retried."""
    with pytest.raises(StoreError) as refused:
        store.query(sql)

    assert type(refused.value) is kind
    assert getattr(refused.value, "clickhouse_code", 0) == code


def test_nobody_listening_is_unavailable() -> None:
    """A refused connection is no driver's exception to the caller."""
    store = Store(lambda: Target("http://default:x@127.0.0.1:1/default", shared_disk=True))

    with pytest.raises(StoreUnavailable):
        store.ping()


class _CutOff(BaseHTTPRequestHandler):
    """Answers the client's greeting, then half of a result."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = b'{"meta": [], "data": [{"n": 1}, {"n"' if b"halved" in body else self._greeting(body)
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _greeting(self, body: bytes) -> bytes:
        return b"26.9.1.1\tUTC\n" if b"version()" in body else b""

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def test_half_an_answer_is_unavailable() -> None:
    """Killed in the middle of a result: no rows rather than some, and it may be asked again."""
    with HTTPServer(("127.0.0.1", 0), _CutOff) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        store = Store(
            lambda: Target(f"http://default:x@127.0.0.1:{server.server_port}/default", shared_disk=True)
        )
        with pytest.raises(StoreUnavailable):
            store.query("SELECT halved")
        server.shutdown()
