"""The ClickHouse HTTP interface over chDB, as the real clickhouse-connect client sees it."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import clickhouse_connect
import httpx
import pytest
from backports import zstd
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from collector.engine.process import Engine
from tests.collector.real_engine import engine_at


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine for all."""
    with engine_at(tmp_path_factory.mktemp("engine") / "db") as running:
        yield running


def _connect(engine: Engine, **options) -> Client:
    url = urlsplit(engine.target().url)
    given = {"password": url.password, "autogenerate_session_id": False, **options}
    return clickhouse_connect.get_client(host=url.hostname, port=url.port, username="default", **given)


@pytest.fixture
def client(engine: Engine) -> Iterator[Client]:
    """Connected to it, without a session."""
    made = _connect(engine)
    yield made
    made.close()


def test_a_query_with_parameters_and_settings(client: Client) -> None:
    """Values travel outside the statement; types come back as they are."""
    answer = client.query(
        "SELECT {n:UInt64} + 1 AS n, {text:String} AS text, toDateTime64('2026-11-22 21:30:00.5', 3, 'UTC') AS at, "
        "map('a', [1, 2]) AS m, getSetting('max_block_size') AS block",
        parameters={"n": 2**60, "text": "it's \\ a\ttest\n—"},
        settings={"max_block_size": 1234},
    )

    assert answer.column_names == ("n", "text", "at", "m", "block")
    assert answer.result_rows[0] == (
        2**60 + 1,
        "it's \\ a\ttest\n—",
        dt.datetime(2026, 11, 22, 21, 30, 0, 500_000),  # noqa: DTZ001 - how the client shows UTC
        {"a": [1, 2]},
        1234,
    )


def test_parameters_that_are_too_long_for_a_url(client: Client) -> None:
    """The client sends more than 4 KiB of them as a form, with the statement as one of its fields."""
    names = [f"näme \n '{number}'" for number in range(2000)]

    raw = client.raw_query(
        "SELECT {names:Array(String)} AS names, {n:UInt8} AS n", {"names": names, "n": 7}, fmt="JSONEachRow"
    )

    assert json.loads(raw) == {"names": names, "n": 7}


def test_settings_of_one_query_do_not_reach_the_next(client: Client) -> None:
    """Each statement has exactly the settings it came with."""
    before = client.command("SELECT getSetting('max_threads')")
    with_it = client.command("SELECT getSetting('max_threads')", settings={"max_threads": 1})
    after = client.command("SELECT getSetting('max_threads')")

    assert int(with_it) == 1
    assert after == before


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_rows_are_inserted_and_read(engine: Engine, compress) -> None:
    """The client's own insert, in its Native format, whatever compression it prefers."""
    client = _connect(engine, compress=compress)
    client.command("CREATE OR REPLACE TABLE t (id UInt32, name String) ENGINE = MergeTree ORDER BY id")
    rows = [(number, f"näme {number}\n") for number in range(1000)]

    client.insert("t", rows, column_names=["id", "name"])
    found = client.query("SELECT id, name FROM t ORDER BY id").result_rows
    client.close()

    assert list(found) == rows


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [(None, bytes), ("gzip", gzip.compress), ("zstd", zstd.compress)],
    ids=["plain", "gzip", "zstd"],
)
def test_a_raw_insert_follows_its_statement(client: Client, encoding, compress) -> None:
    """Data behind ``FORMAT JSONEachRow``, compressed or not."""
    client.command("CREATE OR REPLACE TABLE raw (id UInt32) ENGINE = MergeTree ORDER BY id")

    client.raw_insert(
        "raw", ["id"], compress(b'{"id":1}\n{"id":2}\n'), fmt="JSONEachRow", compression=encoding
    )

    assert client.command("SELECT sum(id) FROM raw") == 3


def test_a_statement_and_its_data_in_one_body(engine: Engine) -> None:
    """As curl users send it, chunked too."""
    url = urlsplit(engine.target().url)
    headers = {"X-ClickHouse-User": "default", "X-ClickHouse-Key": str(url.password)}
    with httpx.Client(base_url=f"http://127.0.0.1:{url.port}", headers=headers, timeout=60) as http:
        http.post(
            "/", content="CREATE OR REPLACE TABLE one (id UInt32) ENGINE = MergeTree ORDER BY id"
        ).raise_for_status()
        http.post("/", content=iter([b"INSERT INTO one FORMAT CSV\n", b"7\n8\n"])).raise_for_status()
        answer = http.get("/", params={"query": "SELECT id FROM one ORDER BY id FORMAT JSONEachRow"})

    assert answer.text == '{"id":7}\n{"id":8}\n'
    assert answer.headers["x-clickhouse-format"] == "JSONEachRow"
    assert '"read_rows":' in answer.headers["x-clickhouse-summary"]


@pytest.mark.parametrize(
    ("sql", "code"), [("SELECT * FROM nowhere", 60), ("SELEC 1", 62), ("SELECT throwIf(1, 'told you')", 395)]
)
def test_an_error_carries_its_code(client: Client, sql: str, code: int) -> None:
    """ClickHouse's number and words, and the connection goes on."""
    with pytest.raises(DatabaseError) as refused:
        client.query(sql)

    assert refused.value.code == code
    assert client.command("SELECT 1") == 1


def test_a_failed_answer_does_not_reach_the_next_one(client: Client) -> None:
    """A statement that fails after its first rows leaves nothing of them to whoever asks next."""
    failing = "SELECT number, throwIf(number = 3) FROM numbers(9) SETTINGS max_block_size = 1"
    for fmt in ("JSON", "JSONEachRow", "TabSeparated"):
        with pytest.raises(DatabaseError):
            client.raw_query(failing, fmt=fmt)

        assert client.raw_query("SELECT 1 AS one", fmt=fmt).count(b"1") >= 1
        assert b"throwIf" not in client.raw_query("SELECT 1 AS one", fmt=fmt)
    assert client.raw_query("SELECT 1 AS one", fmt="JSONEachRow") == b'{"one":1}\n'


def test_an_unknown_setting_is_an_error(engine: Engine, client: Client) -> None:
    """Neither a wrong name nor a statement in a setting's name gets through."""
    url = urlsplit(engine.target().url)
    with httpx.Client(base_url=engine.target().url.rpartition("/")[0], timeout=60) as http:
        answers = [
            http.post("/", params={"query": "SELECT 1", name: "1"})
            for name in ("no_such", "max_threads=1, readonly")
        ]

    assert [answer.headers["x-clickhouse-exception-code"] for answer in answers] == ["115", "115"]
    assert url.port
    assert client.command("SELECT 1") == 1


@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_wrong_secret_is_refused(engine: Engine, password: str) -> None:
    """Other programs of this machine that find the port cannot ask."""
    with pytest.raises(DatabaseError, match="516"):
        _connect(engine, password=password)


def test_ping_needs_no_secret(engine: Engine) -> None:
    """Liveness only."""
    url = urlsplit(engine.target().url)
    assert httpx.get(f"http://127.0.0.1:{url.port}/ping", timeout=60).text == "Ok.\n"


def test_readonly_does_not_stick_to_others(engine: Engine, client: Client) -> None:
    """A session refused to write leaves every other session, and its own next statement, as they were."""
    client.command("CREATE OR REPLACE TABLE w (id UInt32) ENGINE = MergeTree ORDER BY id")
    reader = _connect(engine)
    with pytest.raises(DatabaseError) as refused:
        reader.command("INSERT INTO w VALUES (1)", settings={"readonly": 1})
    read = reader.command("SELECT count() FROM w", settings={"readonly": 1})
    client.command("INSERT INTO w VALUES (2)")
    reader.command("INSERT INTO w VALUES (3)")
    reader.close()

    assert refused.value.code == 164
    assert read == 0
    assert client.query("SELECT id FROM w ORDER BY id").result_rows == [(2,), (3,)]


def test_many_clients_at_once(engine: Engine) -> None:
    """Eight threads, each with its own statements, get their own answers."""
    found: dict[int, list[int]] = {}

    def ask(number: int) -> None:
        mine = _connect(engine)
        found[number] = [mine.command("SELECT {n:UInt32} * 10", parameters={"n": number}) for _ in range(10)]
        mine.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {number: [number * 10] * 10 for number in range(8)}


def test_one_off_settings_leave_nothing_behind(engine: Engine, client: Client) -> None:
    """Every insert has a token of its own: the handles they were given to are not kept for ever (130 KB each)."""

    def memory_kb() -> int:
        with Path(f"/proc/{engine.state.pid}/status").open() as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def ask(first: int, count: int) -> None:
        for number in range(first, first + count):
            client.command("SELECT 1", settings={"insert_deduplication_token": f"t{number}"})

    ask(0, 100)
    grown = []
    for first in (100, 300, 500):
        before = memory_kb()
        ask(first, 200)
        grown.append(memory_kb() - before)

    assert (
        min(grown) < 12_000
    )  # what is kept is kept each time; what the engine does beside grows now and then


def test_its_server_settings_are_those_of_its_file(client: Client) -> None:
    """They are read when the first handle opens the database; which ones matter for an idle engine, the file says."""
    wanted = "SELECT value FROM system.server_settings WHERE name = 'memory_worker_period_ms'"

    assert client.query(wanted).result_rows == [("500",)]
