"""The attacks the issue of a read-only console lives with, through both doors of a running collector: refused in words, and nothing happens."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

# What it is about -> statements; {url} is a listener that must never be asked, {file} a file that must never be read, {new} one that must never be made.
ATTACKS = {
    "stacked": ["SELECT 1; DROP TABLE logs", "SELECT 1;\n-- x\nINSERT INTO logs (body) VALUES ('x')", "; DROP TABLE logs", "SELECT 1 # c\n; TRUNCATE logs"],
    "settings": [
        "SELECT 1 SETTINGS readonly = 0", "SELECT * FROM (SELECT 1 SETTINGS allow_ddl = 1)", "SET readonly = 0",
        "SELECT 1 SETTINGS format_schema = '{file}' FORMAT Protobuf", "WITH a AS (SELECT 1 SETTINGS readonly = 0) SELECT * FROM a",
    ],
    "file": ["SELECT * FROM file('{file}', 'LineAsString')", "SELECT file('{file}')", "SELECT * FROM fileCluster('c', '{file}')", "DESCRIBE file('{file}', 'CSV')"],
    "url": ["SELECT * FROM url('{url}', 'CSV', 'a String')", "SELECT * FROM urlCluster('c', '{url}', 'CSV', 'a String')"],
    "remote": ["SELECT * FROM remote('{host}', system.one)", "SELECT * FROM remoteSecure('{host}', system, one)", "SELECT * FROM cluster('c', system.one)"],
    "s3": ["SELECT * FROM s3('{url}', 'CSV')", "SELECT * FROM iceberg('{url}')", "SELECT * FROM hdfs('hdfs://{host}/x', 'CSV')"],
    "executable": ["SELECT * FROM executable('touch {new}', 'CSV', 'a String')", "SELECT * FROM python('import os')"],
    "dictionary": ["SELECT * FROM dictionary('d')", "SELECT dictGet('d', 'a', 1)"],
    "databases": ["SELECT * FROM mysql('{host}', 'd', 't', 'u', 'p')", "SELECT * FROM postgresql('{host}', 'd', 't', 'u', 'p')", "SELECT * FROM sqlite('{file}', 't')"],
    "input": ["SELECT * FROM input('a String')", "INSERT INTO FUNCTION file('{new}', 'CSV', 'a String') SELECT 'x'", "SELECT 1 INTO OUTFILE '{new}'"],
    "cte": [
        "WITH logs AS (SELECT * FROM file('{file}')) SELECT * FROM logs", "WITH (SELECT file('{file}')) AS x SELECT x",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT length(file('{file}')) FROM r) SELECT * FROM r",
        "WITH x AS (SELECT 1), y AS (SELECT * FROM system.users) SELECT * FROM x, y", "WITH url AS f SELECT f('{url}')",
    ],
    "comments": [
        "SELECT/**/file/**/('{file}')", "SELECT 1 /* -- */ , file('{file}')", "SELECT 1 -- \n , file('{file}')", "SELECT 1 /* /* */ */ */ , file('{file}')",
        "SELECT 1 --\u2028 ; DROP TABLE logs\n, file('{file}')", "sElEcT `file`('{file}')", 'SELECT "file"(\'{file}\')',
    ],
    "tables": ["SELECT * FROM merge('default', '.*')", "SELECT * FROM system.users", "SELECT * FROM loop(system.users)", "SELECT * FROM view(SELECT file('{file}'))"],
}  # fmt: skip
STATEMENTS = [(kind, text) for kind, texts in ATTACKS.items() for text in texts]


class Trap:
    """A listener that counts who comes."""

    def __init__(self) -> None:
        self.visits = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                self._socket.accept()[0].close()
            except OSError:
                return
            self.visits += 1

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


@pytest.fixture(scope="module")
def trap() -> Iterator[Trap]:
    """Where attacks lead to."""
    found = Trap()
    yield found
    found.close()


@pytest.fixture(scope="module")
def served(serve_module: Callable[..., Any], poll: Callable[..., Any]) -> Any:
    """A collector with one line."""
    served = serve_module()
    served.client.post("/v1/lines", content=b'{"service":"kept","msg":"kept"}')
    poll(lambda: rows(served) == [{"n": 1}])
    return served


def rows(served: Any) -> list[dict[str, Any]]:
    """How many lines there are."""
    answer = served.client.post("/api/v1/sql", json={"query": "SELECT count() AS n FROM logs"})
    return list(answer.json()["data"])


@pytest.mark.parametrize(("kind", "statement"), STATEMENTS)
def test_an_attack_is_refused_at_both_doors(
    served: Any, trap: Trap, tmp_path: Path, kind: str, statement: str
) -> None:
    """400 or 403 with a sentence; the file's text is not in it; nobody is called, nothing is made, and the line is still there."""
    secret, new = tmp_path / "secret", tmp_path / "made"
    secret.write_text("t0p-s3cret")
    text = statement.format(file=secret, new=new, host=trap.host, url=f"http://{trap.host}/x")

    asked = served.client.post("/api/v1/sql", json={"query": text})
    posted = served.client.post("/clickhouse/", content=text.encode())
    by_get = served.client.get("/clickhouse/", params={"query": text})

    for answer in (asked, posted, by_get):
        assert answer.status_code in {400, 403}, (kind, answer.text)
        assert "t0p-s3cret" not in answer.text
    assert asked.json()["error"]["code"].startswith("sql_")
    assert posted.text.startswith("Code: ")
    assert (trap.visits, new.exists()) == (0, False)
    assert rows(served) == [{"n": 1}]


PARAMETERS = [
    {"readonly": "0"},
    {"allow_ddl": "1"},
    {"format_schema": "/etc/passwd"},
    {"database": "default`; DROP TABLE logs; --"},
    {"default_format": "CSV SETTINGS readonly = 0"},
    {"default_format": "Template"},
    {"client_protocol_version": "-1"},
    {"client_protocol_version": "9" * 5000},
]


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
def test_a_parameter_is_no_way_around(served: Any, parameters: dict[str, str]) -> None:
    """Settings, names, formats and ids of the query string are checked like those of a statement; no header can be slipped in."""
    answer = served.client.post("/clickhouse/", params=parameters, content="SELECT 1 AS a")

    assert 400 <= answer.status_code < 500, answer.text
    assert answer.text.startswith("Code: ")
    assert "x-evil" not in answer.headers
    assert rows(served) == [{"n": 1}]


@pytest.mark.parametrize("told", ["a\r\nX-Evil: yes", "x" * 1000, "\u00e9", "\0"])
def test_an_id_that_cannot_stand_in_a_header_is_not_put_there(served: Any, told: str) -> None:
    """ClickHouse takes any; the answer comes under another one."""
    answer = served.client.post("/clickhouse/", params={"query_id": told}, content="SELECT 1")
    plain = served.client.post("/clickhouse/", params={"query_id": "mine 1"}, content="SELECT 1")

    assert (answer.text, "x-evil" in answer.headers) == ("1\n", False)
    assert len(answer.headers["x-clickhouse-query-id"]) == 36
    assert plain.headers["x-clickhouse-query-id"] == "mine 1"


def test_a_bound_value_is_a_value(served: Any) -> None:
    """Whatever it holds."""
    evil = "'; DROP TABLE logs; -- \\' OR 1"
    answer = served.client.post(
        "/clickhouse/",
        params={"param_s": evil.replace("\\", "\\\\")},
        content="SELECT {s:String} AS s FORMAT JSONEachRow",
    )

    assert answer.json() == {"s": evil}
    assert rows(served) == [{"n": 1}]


def test_half_a_statement_harms_nobody(served: Any) -> None:
    """A client that goes away in the middle of its body leaves no turn taken."""
    host, port = served.url.removeprefix("http://").split(":")
    for _ in range(10):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(
                b"POST /clickhouse/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nSELECT 1"
            )

    assert httpx.post(f"{served.url}/clickhouse/", content="SELECT 1", timeout=60).text == "1\n"
