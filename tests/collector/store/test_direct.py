"""The short way to the embedded engine."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.errors import StoreRejected, StoreUnavailable
from collector.store.client import Store
from collector.store.direct import Direct

# What JSON can carry back, and ClickHouse keeps: no half of a surrogate pair.
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.fixture(scope="module")
def direct(store: Store) -> Direct:
    """To the engine of all."""
    return Direct(store._target().url, 30.0)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    text=_TEXT,
    texts=st.lists(_TEXT, max_size=4),
    number=st.integers(-(2**62), 2**62),
    share=st.floats(-1e9, 1e9),
)
def test_values_arrive_as_they_are(
    store: Store, text: str, texts: list[str], number: int, share: float
) -> None:
    """Any text, also in lists and tuples, any number: what was bound is what is read."""
    given_pairs = [(each, number) for each in texts]

    row = store.query(
        "SELECT {a:String} AS a, {b:Array(String)} AS b, {c:Int64} AS c, {d:Float64} AS d, {e:Array(Tuple(String, Int64))} AS e",
        {"a": text, "b": texts, "c": number, "d": share, "e": given_pairs},
    ).rows[0]

    assert (row["a"], row["b"], row["c"]) == (text, texts, number)
    assert row["d"] == pytest.approx(share)
    assert [
        tuple(pair.values()) if isinstance(pair, dict) else tuple(pair) for pair in row["e"]
    ] == given_pairs


def test_what_does_not_fit_goes_the_long_way(store: Store, direct: Direct) -> None:
    """A list longer than a URL, and a type of ClickHouse's client, are answered all the same."""
    names = [f"name-{number}" for number in range(3000)]
    sql = "SELECT length({a:Array(String)}) AS n"

    assert direct.select(sql, {"a": names}, {}) is None
    assert direct.select("SELECT {a:Map(String, String)}", {"a": {"k": "v"}}, {}) is None
    assert store.query(sql, {"a": names}).rows == [{"n": 3000}]
    assert store.query("SELECT {a:Nullable(String)} AS a", {"a": None}).rows == [{"a": None}]


def test_a_refusal_leaves_the_connection_as_it_was(direct: Direct) -> None:
    """The engine's number and words come; the next statement on that connection is answered."""
    with pytest.raises(StoreRejected, match="UNKNOWN_TABLE") as refused:
        direct.select("SELECT * FROM nowhere", {}, {})

    assert refused.value.clickhouse_code == 60
    assert b'"n": 1' in (direct.select("SELECT 1 AS n", {}, {}) or b"")


def test_settings_hold_for_their_statement_only(direct: Direct) -> None:
    """Limits of one statement do not reach the next."""
    with pytest.raises(StoreRejected):
        direct.select(
            "SELECT number FROM numbers(10)", {}, {"max_result_rows": 2, "result_overflow_mode": "throw"}
        )

    assert direct.select("SELECT number FROM numbers(10)", {}, {}) is not None


def test_many_threads_share_it(direct: Direct) -> None:
    """Each statement has a connection to itself."""
    found: list[bytes | None] = [None] * 24

    def ask(number: int) -> None:
        found[number] = direct.select("SELECT {n:UInt8} AS n", {"n": number}, {})

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(f'"n": {number}'.encode() in (body or b"") for number, body in enumerate(found))


class _HangsUp(BaseHTTPRequestHandler):
    """Promises more than it sends."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b'{"data": [')

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def test_an_engine_that_dies_while_it_answers() -> None:
    """Half an answer is none, and says so as a connection that broke does."""
    with HTTPServer(("127.0.0.1", 0), _HangsUp) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(OSError, match="cut off"):
            Direct(f"http://default:x@127.0.0.1:{server.server_port}/default", 60.0).select(
                "SELECT 1", {}, {}
            )
        server.shutdown()


def test_a_refusal_without_a_number_may_be_asked_again() -> None:
    """Nobody knows what became of a statement that was answered by no ClickHouse."""

    class Gateway(_HangsUp):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_error(502)

    with HTTPServer(("127.0.0.1", 0), Gateway) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(StoreUnavailable):
            Direct(f"http://default:x@127.0.0.1:{server.server_port}/default", 60.0).select(
                "SELECT 1", {}, {}
            )
        server.shutdown()
