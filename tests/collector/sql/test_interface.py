"""The ClickHouse HTTP interface of a running collector, asked by its real client and in the words of the others."""

from __future__ import annotations

import gzip
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPResponse

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from collector.api.clickhouse.frames import framed, unframed
from collector.api.clickhouse.native import as_of
from tests.system.server import ClickHouse, url_of

# Grafana's ClickHouse data source, github.com/grafana/clickhouse-datasource: pkg/plugin/schema.go, pkg/plugin/health.go, src/data/CHDatasource.ts;
# over clickhouse-go (conn_http.go), which asks the first two on connecting and its ping, with default_format=Native.
GRAFANA = [
    "SELECT timeZone()",
    "SELECT displayName(), version(), revision(), timezone()",
    "SELECT 1",
    "SELECT version()",
    "SHOW DATABASES",
    "SHOW TABLES",
    'SHOW TABLES FROM "default"',
    'DESC TABLE "default"."logs"',
    'DESCRIBE TABLE "default"."logs"',
    "SELECT currentDatabase()",
    "SELECT database, name FROM system.tables ORDER BY database, name",
    ("SELECT database, table, name, type, comment FROM system.columns WHERE (database, table) IN (('default', 'logs')) OR "
    "(database = currentDatabase() AND table IN ('spans')) ORDER BY database, table, position"),
    "SELECT name, type, table FROM system.columns",
    "SELECT name, type, table FROM system.columns WHERE database IN ('default') AND table = 'logs'",
    "SELECT value FROM system.settings WHERE name='readonly'",
    "SELECT getSetting('max_threads')",
    'SELECT DISTINCT arrayJoin(attributes.keys) as keys FROM "default"."logs" LIMIT 1000',
    "SELECT DISTINCT service FROM logs SETTINGS max_execution_time=10",
    "select distinct service from default.logs limit 1000",
    ("SELECT\n  name, is_aggregate, case_insensitive, alias_to, origin, description,\n  syntax, arguments, returned_value, examples, categories\n"
    "FROM system.functions\nLIMIT 10000"),
]  # fmt: skip
# DBeaver, github.com/dbeaver/dbeaver: plugins/org.jkiss.dbeaver.ext.clickhouse/…/model/ClickhouseDataSource.java and ClickhouseMetaModel.java;
# and the metadata of its driver, github.com/ClickHouse/clickhouse-java: jdbc-v2/…/metadata/DatabaseMetaDataImpl.java (shortened where it repeats).
DBEAVER = [
    "SELECT VERSION()",
    "SHOW DATABASES",
    "SELECT name FROM system.table_engines",
    "SELECT name as TABLE_NAME, engine as TABLE_TYPE, database as TABLE_SCHEM,comment as REMARKS, * FROM system.tables\nWHERE database = 'default'",
    "SELECT name as TABLE_NAME, engine as TABLE_TYPE, database as TABLE_SCHEM,comment as REMARKS, * FROM system.tables\nWHERE database = 'default' and name='logs'",
    "SHOW CREATE TABLE default.logs",
    "SELECT name AS TABLE_SCHEM, '' AS TABLE_CATALOG FROM system.databases ORDER BY name",
    "SELECT 'local' AS TABLE_CAT  WHERE 1 = 0",
    "SELECT arrayJoin(['TABLE', 'VIEW']) AS TABLE_TYPE ORDER BY TABLE_TYPE",
    ("SELECT '' AS TABLE_CAT, t.database AS TABLE_SCHEM, t.name AS TABLE_NAME, if(t.is_temporary = 1, concat('Temporary', t.engine), t.engine) AS TABLE_TYPE, "
    "t.comment AS REMARKS, CAST(null as Nullable(String)) AS TYPE_CAT, d.engine AS TYPE_SCHEM FROM system.tables t"
    " JOIN system.databases d ON system.tables.database = system.databases.name WHERE t.database LIKE '%' AND t.name LIKE '%'"
    " AND ( (t.engine IN ('MergeTree','View')) OR (t.engine LIKE 'System%' OR t.engine LIKE 'Async%')) AND (t.is_temporary = 0)"),
    ("SELECT '' AS TABLE_CAT, database AS TABLE_SCHEM, table AS TABLE_NAME, name AS COLUMN_NAME, toInt32(1111) AS DATA_TYPE, type AS TYPE_NAME, "
    "toInt32(IF (numeric_scale == 0, NULL, numeric_scale)) as DECIMAL_DIGITS,  toInt32(numeric_precision_radix) AS NUM_PREC_RADIX, "
    "toInt32(position(type, 'Nullable(') >= 1 ?1 : 0) as NULLABLE, system.columns.comment AS REMARKS, "
    "character_octet_length::Nullable(Int32) AS CHAR_OCTET_LENGTH, toInt32(system.columns.position) AS ORDINAL_POSITION, "
    "position(upper(type), 'NULLABLE') >= 1 ? 'YES' : 'NO' AS IS_NULLABLE,CAST(NULL as Nullable(Int16)) AS SOURCE_DATA_TYPE "
    " FROM system.columns WHERE database LIKE 'default' AND table LIKE 'logs' AND name LIKE '%' ORDER BY TABLE_SCHEM, TABLE_NAME, ORDINAL_POSITION"),
    "SELECT currentUser(), timezone(), version()",
    "SELECT * FROM system.data_type_families",
]  # fmt: skip
LINES = b"\n".join(b'{"service":"shop","level":"error","msg":"line %d"}' % number for number in range(50))


@pytest.fixture(scope="module")
def served(serve_module, poll):
    """A collector that has loaded 50 lines."""
    served = serve_module()
    assert served.client.post("/v1/lines", content=LINES).status_code == 200
    poll(
        lambda: served.client.get("/clickhouse/", params={"query": "SELECT count() FROM logs"}).text == "50\n"
    )
    return served


@pytest.fixture(scope="module")
def client(served):
    """The real client, unchanged."""
    client = clickhouse_connect.get_client(host="127.0.0.1", port=served.port, proxy_path="clickhouse")
    yield client
    client.close()


def ask(served, statement: str, **params: str) -> httpx.Response:
    """POST a statement as curl would."""
    return served.client.post("/clickhouse/", content=statement, params=params)


def test_clickhouse_connect_reads_rows_with_parameters(client) -> None:
    """Native format, parameters of the server and a SETTINGS clause, as a notebook uses them."""
    found = client.query(
        "SELECT service, severity, count() AS n FROM logs WHERE service = {s:String} GROUP BY ALL SETTINGS max_threads = 1",
        parameters={"s": "shop"},
    )

    assert found.result_rows == [("shop", "error", 50)]
    assert found.column_names == ("service", "severity", "n")
    assert client.server_version
    assert client.command("SELECT max(line) FROM logs") is not None
    assert client.ping()


def test_clickhouse_connect_streams_a_large_answer(client) -> None:
    """Blocks come as they are made, each value once."""
    with client.query_row_block_stream("SELECT number FROM numbers(300000)") as stream:
        total = sum(row[0] for block in stream for row in block)

    assert total == 300_000 * 299_999 // 2


def test_clickhouse_connect_cannot_write(client) -> None:
    """Its commands meet the same guard, in the words of ClickHouse; its inserts are not even read."""
    with pytest.raises(DatabaseError, match="READONLY"):
        client.command("DROP TABLE logs")
    with pytest.raises(DatabaseError):
        client.insert("logs", [["x"]], ["body"])

    assert client.command("SELECT count() FROM logs WHERE body = 'x'") == 0


@pytest.mark.parametrize("statement", GRAFANA + DBEAVER)
def test_what_other_clients_ask_on_connecting_is_answered(served, statement) -> None:
    """The start-up questions of Grafana's data source and of DBeaver, to the letter of their sources, in the formats they read."""
    for wanted in ("Native", "RowBinaryWithNamesAndTypes"):
        answer = ask(served, statement, default_format=wanted)

        assert answer.status_code == 200, answer.text
        assert answer.headers["x-clickhouse-format"] == wanted


def test_ping_answers_without_a_statement(served) -> None:
    """Load balancers and clients ask this first."""
    assert served.client.get("/clickhouse/ping").text == "Ok.\n"


def test_a_statement_comes_in_every_way_the_interface_has(served) -> None:
    """In the query string, in the body, begun in one and ended in the other, compressed, or in a form."""
    by_get = served.client.get("/clickhouse/", params={"query": "SELECT 7"})
    split = served.client.post("/clickhouse/", params={"query": "SELECT "}, content="7")
    zipped = served.client.post(
        "/clickhouse", content=gzip.compress(b"SELECT 7"), headers={"Content-Encoding": "gzip"}
    )
    form = served.client.post(
        "/clickhouse/", files={"query": (None, "SELECT {n:UInt8}"), "param_n": (None, "7")}
    )

    assert [answer.text for answer in (by_get, split, zipped, form)] == ["7\n"] * 4


def test_format_and_database_are_those_asked_for(served) -> None:
    """FORMAT wins over default_format; database=system is where names live then."""
    stated = ask(served, "SELECT 1 AS a FORMAT JSONEachRow", default_format="CSV")
    other = ask(served, "SELECT count() > 0 FROM tables", database="system")

    assert (stated.json(), stated.headers["x-clickhouse-format"]) == ({"a": 1}, "JSONEachRow")
    assert stated.headers["content-type"].startswith("application/x-ndjson")
    assert other.text == "1\n"
    assert "system.users" not in ask(served, "SELECT 1 FROM users", database="system").text
    assert ask(served, "SELECT 1 FROM users", database="system").status_code == 403
    assert ask(served, "SELECT 1", database="other").status_code == 403


def test_answers_are_compressed_for_whoever_reads_gzip(served) -> None:
    """By Accept-Encoding; without it the bytes are plain."""
    plain = served.client.post("/clickhouse/", content="SELECT 1", headers={"Accept-Encoding": "identity"})
    small = served.client.post(
        "/clickhouse/", content="SELECT 1 FROM numbers(1000)", headers={"Accept-Encoding": "gzip"}
    )

    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert small.text == "1\n" * 1000


@pytest.mark.parametrize("statement", GRAFANA)
def test_grafanas_driver_gets_native_of_its_version(served, statement) -> None:
    """clickhouse-go over HTTP sets default_format=Native and client_protocol_version, and reads blocks of that version."""
    # what is distinct comes in the order in which parts are read
    unordered = "DISTINCT" in statement.upper()
    as_told = {"default_format": "Native", **({"max_threads": "1"} if unordered else {})}
    plain = ask(served, statement, **as_told)
    asked = ask(served, statement, client_protocol_version="54460", **as_told)

    same = sorted if unordered else bytes
    assert asked.status_code == 200, asked.text
    assert same(asked.content) == same(as_of(plain.content, 54460))


def test_the_jdbc_drivers_framing_is_spoken_both_ways(served) -> None:
    """clickhouse-java asks for compress=1 unless told otherwise, and may send its statement so with decompress=1; many frames, gzip around them."""
    body = b"".join(framed(b"SELECT number FROM numbers(100000)"))
    params = {"compress": "1", "decompress": "1", "default_format": "RowBinaryWithNamesAndTypes"}
    answer = served.client.post("/clickhouse/", params=params, content=body)
    native = ask(served, "SELECT 7", compress="1", default_format="Native", client_protocol_version="54460")

    rows = unframed(answer.content, 1 << 24)
    assert rows.startswith(b"\x01\x06number\x06UInt64")
    assert struct.unpack("<100000Q", rows[15:]) == tuple(range(100_000))
    assert answer.headers["content-encoding"] == "gzip"
    assert unframed(native.content, 1 << 10).endswith(b"\x017\x05UInt8\x00\x07")


def test_an_answer_ends_at_the_rows_a_driver_asks_for(served) -> None:
    """What clickhouse-java makes of setMaxRows: max_result_rows with result_overflow_mode=break; without a number of its own nothing is cut."""
    some = ask(served, "SELECT number FROM numbers(200000)", max_result_rows="200", result_overflow_mode="break")  # fmt: skip
    every = ask(served, "SELECT 1", max_result_rows="9223372036854775807", result_overflow_mode="throw")
    bare = ask(served, "SELECT 1", result_overflow_mode="break")
    ours = ask(served, "SELECT 1", max_result_rows="9223372036854775807", result_overflow_mode="break")

    assert some.status_code == 200
    assert 200 <= len(some.text.splitlines()) < 200_000
    assert every.text == "1\n"
    assert [answer.headers["x-clickhouse-exception-code"] for answer in (bare, ours)] == ["164", "164"]


def test_errors_can_be_read_with_and_without_undoing_frames(served) -> None:
    """clickhouse-go undoes the frame of an error; clickhouse-java does not where it was refused, and looks for its words."""
    refused = ask(served, "SELECT file('/etc/hostname')", compress="1")
    wrong = ask(served, "SELECT nosuch FROM logs", compress="1")
    broken = ask(served, "SELECT 1", decompress="1")

    assert unframed(refused.content, 1 << 16).startswith(b"Code: 497. DB::Exception: the function file")
    assert b"497. DB::Exception: the function file" in refused.content
    assert unframed(wrong.content, 1 << 16).startswith(b"Code: 47. DB::Exception: ")
    assert (broken.status_code, broken.headers["x-clickhouse-exception-code"]) == (400, "432")


def test_errors_have_clickhouses_form(served) -> None:
    """Clients read the number from the header and the words from the body."""
    refused = ask(served, "SELECT file('/etc/hostname')")
    wrong = ask(served, "SELECT nosuch FROM logs")
    unparsed = ask(served, "SELECT 1 +")
    setting = ask(served, "SELECT 1 SETTINGS readonly = 0")

    assert refused.status_code == 403
    assert refused.text.startswith("Code: 497. DB::Exception: the function file is not allowed")
    assert wrong.headers["x-clickhouse-exception-code"] == "47"
    assert wrong.text.startswith("Code: 47. DB::Exception: ")
    assert (unparsed.status_code, unparsed.headers["x-clickhouse-exception-code"]) == (400, "62")
    assert setting.headers["x-clickhouse-exception-code"] == "164"


def test_what_is_not_spoken_is_said(served) -> None:
    """External tables, other paths and Native of what cannot be measured are refused in words, not answered wrongly."""
    external = served.client.post("/clickhouse/", params={"query": "SELECT 1"}, files={"t": ("t", "1")})
    states = ask(served, "SELECT uniqState(line) FROM logs", default_format="Native", client_protocol_version="54460")  # fmt: skip
    unknown = ask(served, "SELECT 1", default_format="Native", client_protocol_version="new")

    assert (external.status_code, states.status_code, unknown.status_code) == (415, 415, 400)
    assert "AggregateFunction(uniq, UInt32)" in states.text
    assert ask(served, "SELECT 1", client_protocol_version="54460").text == "1\n"
    assert served.client.get("/clickhouse/play").status_code == 404
    assert served.client.put("/clickhouse/").status_code == 405
    assert ask(served, "SELECT 1", session_id="s", session_timeout="60").text == "1\n"
    assert ask(served, "SELECT 1", nosuch="1").status_code == 403


def test_a_browser_of_another_site_is_kept_out(served) -> None:
    """A link on a page does not run a statement."""
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

    assert served.client.get("/clickhouse/", params={"query": "SELECT 1"}, headers=headers).status_code == 403


def test_the_api_answers_rows_as_objects_through_the_same_guard(served) -> None:
    """``POST /api/v1/sql``: the same allow-list, the contract's answers and errors."""
    found = served.client.post(
        "/api/v1/sql",
        json={"query": "SELECT service, count() AS n FROM logs WHERE service = 'shop' GROUP BY 1"},
    )
    refused = served.client.post("/api/v1/sql", json={"query": "SELECT * FROM url('http://127.0.0.1/')"})
    wrong = served.client.post("/api/v1/sql", json={"query": "SELECT nosuch FROM logs"})
    over = served.client.post("/api/v1/sql", json={"query": "SELECT number FROM numbers(2000000)"})

    assert found.json()["data"] == [{"service": "shop", "n": 50}]
    assert found.json()["stats"]["rows_read"] > 0
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "sql_function")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "sql_failed")
    assert (over.status_code, over.json()["error"]["code"]) == (422, "query_too_expensive")


def test_ingestion_goes_on_beside_all_of_it(served, poll) -> None:
    """After refusals and failures on read-only clients, what is sent is loaded as before."""
    for statement in (
        "INSERT INTO logs (body) VALUES ('x')",
        "SELECT throwIf(1)",
        "SELECT file('/etc/hostname')",
    ):
        assert ask(served, statement).status_code >= 400
    assert served.client.post("/v1/lines", content=b'{"service":"later","msg":"on"}').status_code == 200

    poll(lambda: ask(served, "SELECT count() FROM logs WHERE service = 'later'").text == "1\n")


def test_keys_are_taken_wherever_clickhouse_clients_put_them(serve) -> None:
    """Basic, X-ClickHouse-Key, password or Bearer; a key that may only write, or none, is refused."""
    served = serve('read_key = "reading"\ningest_key = "writing"\n')
    url = "/clickhouse/"
    ask_with = [
        {"auth": ("default", "reading")},
        {"headers": {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "reading"}},
        {"params": {"user": "default", "password": "reading"}},
        {"headers": {"Authorization": "Bearer reading"}},
    ]

    assert [served.client.post(url, content="SELECT 1", **way).text for way in ask_with] == ["1\n"] * 4
    none = served.client.post(url, content="SELECT 1")
    writer = served.client.post(url, content="SELECT 1", auth=("default", "writing"))
    assert (none.status_code, none.headers["x-clickhouse-exception-code"]) == (401, "516")
    assert writer.status_code == 403
    assert served.client.post(
        "/api/v1/sql", json={"query": "SELECT 1 AS a"}, headers={"Authorization": "Bearer reading"}
    ).json()["data"] == [{"a": 1}]
    assert served.client.get("/clickhouse/ping").text == "Ok.\n"
    with clickhouse_connect.get_client(
        host="127.0.0.1", port=served.port, proxy_path="clickhouse", username="default", password="reading"
    ) as client:
        assert client.command("SELECT 1") == 1


@pytest.fixture
def stranger(tmp_path):
    """A server that somebody else runs."""
    server = ClickHouse(tmp_path / "clickhouse").start()
    yield server
    server.kill()


def test_a_server_that_is_not_ours_is_asked_and_missed_in_the_same_words(serve, poll, stranger) -> None:
    """Server mode passes statements on with the server's own credentials; while it is away the answer is a 503 in ClickHouse's form."""
    served = serve(f'clickhouse = "{url_of(stranger.port)}"\nquery_timeout_s = 3\ndrain_s = 0\n')
    poll(lambda: ask(served, "SELECT count() FROM logs").text == "0\n")

    refused = ask(served, "SELECT file('/etc/hostname')")
    stranger.kill()
    away = ask(served, "SELECT 1")

    assert refused.headers["x-clickhouse-exception-code"] == "497"
    assert (away.status_code, away.headers["x-clickhouse-exception-code"]) == (503, "210")
    assert away.headers["retry-after"] == "2"
    assert served.client.get("/clickhouse/").text == "Ok.\n"


def test_an_engine_that_dies_is_asked_again_when_it_is_back(serve, poll) -> None:
    """A statement after the restart of the engine is answered; none waits for ever."""
    served = serve()
    assert ask(served, "SELECT 1").text == "1\n"

    served.kill_engine()

    poll(lambda: ask(served, "SELECT 1").text == "1\n")


def test_more_statements_than_may_run_wait_their_turn(served) -> None:
    """Ten at once are all answered."""
    with ThreadPoolExecutor(10) as pool:
        texts = list(
            pool.map(
                lambda n: httpx.post(f"{served.url}/clickhouse/", content=f"SELECT {n}", timeout=60).text,
                range(10),
            )
        )

    assert texts == [f"{n}\n" for n in range(10)]


def test_a_client_that_goes_away_ends_its_statement(served, poll) -> None:
    """Its progress is known by its query_id while it waits; when its connection closes, nothing runs any more."""
    slow = "SELECT count() FROM numbers(9000000000) WHERE NOT ignore(sipHash64(number))"

    def state(name: str) -> dict[str, object]:
        return served.data(f"/queries/{name}")[0]

    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(
            f"POST /clickhouse/?query_id=left-alone-1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(slow)}\r\n\r\n{slow}".encode()
        )
        found = poll(lambda: (now := state("left-alone-1"))["rows_read"] and now)
    gone = poll(lambda: state("left-alone-1")["state"] == "unknown")
    metrics = served.client.get("/metrics").text

    assert (found["state"], found["rows_total"]) == ("running", 9_000_000_000)
    assert gone
    assert "fuseboard_query_cancelled_statements_total 0.0" not in metrics


def test_a_statement_over_its_limit_of_rows_is_refused_before_it_begins(served) -> None:
    """In both ways: ClickHouse's own error, and the contract's with the setting's name."""
    most = "SELECT count() FROM numbers(20000000000) WHERE NOT ignore(number)"
    raw = ask(served, most)
    told = served.client.post("/api/v1/sql", json={"query": most})

    assert (raw.status_code, raw.headers["x-clickhouse-exception-code"]) == (500, "158")
    assert told.status_code == 422
    assert "10,000,000,000 rows (sql_read_rows)" in told.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "most", "busy"),
    [("/clickhouse/?query_id=crowd-of-many", 20, "Code: 202."), ("/api/v1/sql", 8, '"code":"sql_busy"')],
    ids=["clickhouse", "api"],
)
def test_when_enough_wait_the_next_is_told_at_once(served, poll, path, most, busy) -> None:
    """Four run, some wait, one more is a 503 with Retry-After; when they go away everybody's turn comes again."""
    slow = "SELECT count() FROM numbers(9000000000) WHERE NOT ignore(sipHash64(number))"
    body = slow if path.startswith("/clickhouse") else f'{{"query": "{slow}"}}'
    headers = {"Content-Type": "application/json", "X-Query-Id": "crowd-of-many"}
    with ExitStack() as crowd:

        def joined() -> HTTPConnection:
            """One more of the crowd."""
            connection = crowd.enter_context(closing(HTTPConnection("127.0.0.1", served.port, timeout=60)))
            connection.request("POST", path, body, headers)
            return connection

        def refused() -> tuple[HTTPResponse, str] | None:
            """What the next is told; while not all of the crowd have arrived it is told nothing, and is one of them."""
            connection = joined()
            connection.sock.settimeout(1)
            try:
                found = connection.getresponse()
                return found, found.read().decode()
            except TimeoutError:
                return None

        for _ in range(most):
            joined()
        poll(lambda: served.data("/queries/crowd-of-many")[0]["statements"] >= 4)
        answer, told = poll(refused)
    small = body.replace(slow, "SELECT 1 AS n")
    poll(
        lambda: (
            served.client.post(
                path.partition("?")[0], content=small, headers={"Content-Type": "application/json"}
            ).status_code
            == 200
        )
    )
    after = served.client.post("/api/v1/sql", json={"query": "SELECT 1 AS n"}).json().get("data")

    assert (answer.status, busy in told) == (503, True), told
    assert int(answer.headers["retry-after"]) >= 1
    assert after == [{"n": 1}]
