"""What a person's statement may do, tried on the real engine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.errors import Forbidden, FuseboardError, QueryError, QueryTooExpensive
from collector.sql.functions import LIST_FUNCTIONS, functions
from collector.sql.tables import our_tables

SECRET = "/etc/hostname"

# statement -> what its refusal names
REFUSED = {
    # statements
    "INSERT INTO logs SELECT * FROM logs": "INSERT",
    "INSERT INTO FUNCTION file('/tmp/x', 'CSV', 'a String') SELECT 'x'": "INSERT",
    "ALTER TABLE logs DELETE WHERE 1": "ALTER",
    "DROP TABLE logs": "DROP",
    "TRUNCATE TABLE logs": "DROP",
    "CREATE TABLE x (a Int8) ENGINE = Memory": "CREATE",
    "CREATE FUNCTION f AS (x) -> file(x)": "CREATE",
    "ATTACH TABLE x FROM '/tmp' (a Int8) ENGINE = Memory": "CREATE",
    "DETACH TABLE logs": "D",
    "RENAME TABLE logs TO x": "RENAME",
    "OPTIMIZE TABLE logs FINAL": "OPTIMIZE",
    "SET readonly = 0": "SET",
    "USE system": "USE",
    "SYSTEM SHUTDOWN": "SYSTEM",
    "SYSTEM DROP FORMAT SCHEMA CACHE": "SYSTEM",
    "KILL QUERY WHERE 1": "KILL",
    "BACKUP TABLE logs TO File('x')": "BACKUP",
    "DELETE FROM logs WHERE 1": "DELETE",
    "SHOW PROCESSLIST": "SHOW PROCESSLIST",
    "SHOW GRANTS": "SHOW GRANTS",
    "SHOW CLUSTERS": "SHOW CLUSTERS",
    "EXPLAIN TABLE OVERRIDE mysql('h', 'd', 't', 'u', 'p')": "EXPLAIN TABLE OVERRIDE",
    "EXPLAIN INSERT INTO logs SELECT * FROM logs": "INSERT",
    # functions, wherever they may stand
    f"SELECT file('{SECRET}')": "file",
    f"SELECT FILE('{SECRET}')": "FILE",
    f"SELECT `file`('{SECRET}')": "file",
    f"SELECT/**/file/**/('{SECRET}')": "file",
    f"SELECT 1 -- x\n, file('{SECRET}')": "file",
    f"SELECT 1 /* -- */ , file('{SECRET}')": "file",
    f"SELECT (SELECT file('{SECRET}'))": "file",
    f"SELECT 1 UNION ALL SELECT file('{SECRET}')": "file",
    f"SELECT 1 EXCEPT SELECT file('{SECRET}')": "file",
    f"WITH (SELECT file('{SECRET}')) AS a SELECT a": "file",
    f"WITH a AS (SELECT file('{SECRET}')) SELECT * FROM a": "file",
    f"SELECT x FROM numbers(1) ARRAY JOIN [file('{SECRET}')] AS x": "file",
    f"SELECT arrayMap(x -> file(x), ['{SECRET}'])": "file",
    f"SELECT count() FROM logs GROUP BY file('{SECRET}')": "file",
    f"SELECT count() FROM logs HAVING file('{SECRET}') = ''": "file",
    f"SELECT body FROM logs ORDER BY file('{SECRET}')": "file",
    f"SELECT body FROM logs PREWHERE file('{SECRET}') = ''": "file",
    f"SELECT body FROM logs QUALIFY file('{SECRET}') = ''": "file",
    f"SELECT 1 LIMIT length(file('{SECRET}'))": "file",
    f"SELECT sum(1) OVER (PARTITION BY file('{SECRET}'))": "file",
    f"SELECT * FROM logs AS a JOIN logs AS b ON file('{SECRET}') = a.body": "file",
    f"SELECT * REPLACE (file('{SECRET}') AS body) FROM logs": "file",
    f"SELECT number FROM numbers(length(file('{SECRET}')))": "file",
    f"SELECT * FROM values('a String', file('{SECRET}'))": "file",
    f"EXPLAIN SELECT file('{SECRET}')": "file",
    f"EXPLAIN AST SELECT file('{SECRET}')": "file",
    f"DESCRIBE (SELECT file('{SECRET}'))": "file",
    f"SHOW TABLES WHERE file('{SECRET}') != ''": "file",
    f"SELECT 1 WHERE 1 IN (SELECT length(file('{SECRET}')))": "file",
    "SELECT * APPLY(file) FROM logs": "file",
    "SELECT * APPLY(x -> file(x)) FROM logs": "file",
    "WITH file AS f SELECT f('x')": "f",
    "SELECT dictGet('d', 'a', 1)": "dictGet",
    "SELECT dictGetStringOrDefault('d', 'a', 1, '')": "dictGetStringOrDefault",
    "SELECT joinGet('j', 'a', 1)": "joinGet",
    "SELECT catboostEvaluate('/m', 1)": "catboostEvaluate",
    "SELECT evalMLMethod(1)": "evalMLMethod",
    "SELECT naiveBayesClassifier('m', 'x')": "naiveBayesClassifier",
    "SELECT hasColumnInTable('h:9000', 'u', 'p', 'd', 't', 'c')": "hasColumnInTable",
    "SELECT sleep(3)": "sleep",
    "SELECT sleepEachRow(1) FROM numbers(3)": "sleepEachRow",
    "SELECT showCertificate()": "showCertificate",
    "SELECT getServerSetting('path')": "getServerSetting",
    "SELECT filesystemAvailable()": "filesystemAvailable",
    "SELECT addressToLine(1)": "addressToLine",
    "SELECT FQDN()": "FQDN",
    "SELECT aiGenerate('x')": "aiGenerate",
    "SELECT fuzzBits('x', 0.5)": "fuzzBits",
    "SELECT nobodyKnows(1)": "nobodyKnows",
    # tables
    "SELECT * FROM system.users": "system.users",
    "SELECT * FROM `system`.`processes`": "system.processes",
    "SELECT * FROM system.named_collections": "system.named_collections",
    "SELECT * FROM system.server_settings": "system.server_settings",
    "SELECT * FROM system.stack_trace": "system.stack_trace",
    "SELECT * FROM other.logs": "other.logs",
    "SELECT 1 WHERE 1 IN system.users": "system.users",
    "SELECT in(1, system.users)": "system.users",
    "SELECT globalNotNullIn(1, secrets)": "secrets",
    "WITH secrets AS (SELECT * FROM secrets) SELECT * FROM secrets": "secrets",
    "WITH 1 AS secrets SELECT * FROM secrets": "secrets",
    "SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) JOIN a ON 1": "a",
    "SELECT * FROM {t:Identifier}": "readable",
    "SELECT {c:Identifier} FROM logs": "Identifier",
    "DESCRIBE TABLE system.users": "system.users",
    "SHOW CREATE TABLE system.users": "system.users",
    "EXISTS TABLE other.x": "other.x",
    "SHOW TABLES FROM other": "other",
    "SHOW COLUMNS FROM users FROM system": "system.users",
    # settings and output
    "SELECT 1 SETTINGS readonly = 0": "readonly",
    "SELECT 1 SETTINGS allow_introspection_functions = 1": "allow_introspection_functions",
    "SELECT * FROM (SELECT 1 SETTINGS readonly = 0)": "readonly",
    "SELECT 1 SETTINGS additional_table_filters = {'logs': 'file(''x'') != '''''}": "additional_table_filters",
    "SELECT 1 FORMAT CSV SETTINGS format_schema = '/etc/passwd'": "format_schema",
    "SELECT 1 SETTINGS output_format_schema = '/tmp/x'": "output_format_schema",
    "EXPLAIN SELECT 1 SETTINGS readonly = 0": "readonly",
    "SELECT 1 INTO OUTFILE '/tmp/x'": "INTO OUTFILE",
    "SELECT 1 INTO OUTFILE '/tmp/x' TRUNCATE FORMAT CSV": "INTO OUTFILE",
    "SELECT 1 FORMAT Protobuf": "Protobuf",
    "SELECT 1 FORMAT SQLInsert": "SQLInsert",
}  # fmt: skip
TABLE_FUNCTIONS_ALLOWED = {"numbers", "numbers_mt", "values", "generateSeries", "generate_series"}  # fmt: skip

# Those that parse only with arguments of their own.
ARGUMENTS = {
    "view": "SELECT 1",
    "viewIfPermitted": "SELECT 1 ELSE null('a Int8')",
    "viewExplain": "'EXPLAIN', '', (SELECT 1)",
}


@pytest.mark.parametrize("statement", REFUSED)
def test_what_is_not_allowed_is_refused_by_name(console, statement) -> None:
    """Each way to a file, another process, the network or a write is refused, and the refusal names what it is about."""
    with pytest.raises(Forbidden) as refused:
        console.prepare(statement)

    assert REFUSED[statement] in refused.value.message


@pytest.mark.parametrize("statement", ["SELECT 1; DROP TABLE logs", "SELECT 1;;SELECT 2", "SELECT 1 +", "", "SELECT 1 FROM", "SELECT '\\xff"])  # fmt: skip
def test_what_does_not_parse_as_one_statement_is_refused(console, statement) -> None:
    """The engine's own parser says what is wrong."""
    with pytest.raises(QueryError) as refused:
        console.prepare(statement)

    assert refused.value.code == "sql_syntax"


def test_no_other_table_function_of_the_engine_is_allowed(console, sql_store) -> None:
    """Whatever the engine lists is refused, but for the few that make numbers."""
    listed = {
        row["name"] for row in sql_store.query("SELECT name FROM system.table_functions LIMIT 1000").rows
    }

    assert {"file", "url", "remote", "s3", "executable", "mysql", "postgresql", "merge", "dictionary", "python", "input", "cluster", "sqlite", "hdfs", "jdbc", "odbc", "mongodb", "redis", "view", "loop"} <= listed  # fmt: skip
    for name in listed - TABLE_FUNCTIONS_ALLOWED:
        with pytest.raises(FuseboardError) as refused:
            console.prepare(f"SELECT * FROM `{name}`({ARGUMENTS.get(name, 1)})")
        assert name in refused.value.message


def test_functions_of_a_later_version_or_of_people_are_refused() -> None:
    """What nobody has read yet is not allowed, nor what was made with CREATE FUNCTION."""
    row = {"name": "abs", "alias_to": "", "is_aggregate": 0, "origin": "System", "introduced_in": "1.1.0"}

    allowed = functions([row, {**row, "name": "newer", "introduced_in": "26.10.0"}, {**row, "name": "made", "origin": "ExecutableUserDefined"}, {**row, "name": "alias", "alias_to": "file"}])  # fmt: skip

    assert allowed.refusal("abs") is None
    assert all(allowed.refusal(name) for name in ("newer", "made", "alias"))


def test_the_engines_list_holds_no_family_unseen(sql_store) -> None:
    """No function whose name speaks of files, dictionaries, sleep or the network is left among the allowed."""
    allowed = functions(sql_store.query(LIST_FUNCTIONS).rows).plain

    words = (
        "dictget",
        "sleep",
        "filesystem",
        "joinget",
        "addressto",
        "remote",
        "http",
        "s3",
        "executable",
        "fuzzb",
        "fuzzq",
    )
    assert [name for name in allowed if any(word in name for word in words)] == []
    assert "file" not in allowed
    assert len(allowed) > 1500


ALLOWED = [
    "SELECT 1",
    "select version(), timezone() -- comment",
    "SELECT service, countIf(severity_number >= 17) AS e, quantile(0.9)(severity_number) FROM logs WHERE occurred_at > now() - INTERVAL 1 HOUR GROUP BY service HAVING e > 0 ORDER BY e DESC LIMIT 10",
    "WITH a AS (SELECT * FROM logs), b AS (SELECT service FROM a) SELECT count() FROM b WHERE service IN b",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r",
    "SELECT row_number() OVER (PARTITION BY service ORDER BY occurred_at), lagInFrame(body) OVER () FROM logs",
    "SELECT uniqExactIf(service, 1), sumMap(map('a', 1)), argMax(body, occurred_at), countDistinct(service) FROM logs",
    "SELECT x::UInt8, CAST('1' AS Int8), [1, 2][1], (1, 'a').2, if(1, 2, 3), CASE WHEN 1 THEN 2 END, 1 BETWEEN 0 AND 2 FROM values('x String', '1')",
    "SELECT arrayMap(x -> x + 1, [1]), arrayJoin(attributes.keys), attributes['k'] FROM logs ARRAY JOIN [1] AS y",
    "SELECT l.service FROM logs AS l ANY LEFT JOIN spans AS s USING (trace_id)",
    "SELECT toStartOfMinute(occurred_at) AS t, count() FROM default.logs GROUP BY t ORDER BY t WITH FILL STEP toIntervalMinute(1)",
    "SELECT number FROM numbers(10) UNION ALL SELECT zero FROM (SELECT * FROM system.zeros LIMIT 1) UNION ALL SELECT * FROM generateSeries(1, 3)",
    "SELECT * EXCEPT (body), COLUMNS('serv') FROM logs LIMIT 1 BY service",
    "EXPLAIN indexes = 1 SELECT count() FROM logs",
    "EXPLAIN SYNTAX SELECT 1",
    "SHOW TABLES",
    "SHOW TABLES FROM system LIKE 'col%'",
    "SHOW DATABASES",
    "SHOW COLUMNS FROM logs",
    "SHOW SETTINGS LIKE 'max_threads'",
    "SHOW CREATE TABLE logs",
    "DESCRIBE TABLE default.logs",
    "DESCRIBE (SELECT service FROM logs)",
    "EXISTS TABLE logs",
    "EXISTS DATABASE default",
    "SELECT 1 SETTINGS max_threads = 1, output_format_json_quote_64bit_integers = 1",
    "SELECT '\\n\\t''\\\\', 18446744073709551615, -1.5, true, NULL, toDateTime64('2026-01-01 00:00:00.5', 9)",
    "SELECT database, name, total_rows FROM system.tables",
]  # fmt: skip


@pytest.mark.parametrize("statement", ALLOWED)
def test_what_people_ask_is_answered(console, statement) -> None:
    """The ordinary shapes of analysis pass the guard and run."""
    console.ask(statement)


def test_literals_come_back_as_they_were_written(console) -> None:
    """The text that runs is made from the tree; no value changes on the way."""
    found = console.ask("SELECT 'a\\n''\\\\$`\"{x}' AS s, 18446744073709551615 AS n, -1.5 AS f, 'ü€😀' AS u, [1, 2] AS a")  # fmt: skip

    assert found.rows == [{"s": "a\n'\\$`\"{x}", "n": 18446744073709551615, "f": -1.5, "u": "ü€😀", "a": [1, 2]}]  # fmt: skip


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    text=st.text(),
    number=st.integers(-(2**63), 2**64 - 1),
    real=st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_literal_comes_back(console, text, number, real) -> None:
    """Whatever a person writes between quotes, and any number, is what runs."""
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")

    found = console.ask(f"SELECT '{quoted}' AS t, {number} AS n, {real!r} AS r")

    (row,) = found.rows
    assert (row["t"], row["n"], float(row["r"])) == (text, number, real)  # JSON writes 1e16 as a whole number


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT number FROM system.numbers", r"10,000 rows \(sql_result_rows\)"),
        ("SELECT number FROM numbers(10001)", r"10,000 rows \(sql_result_rows\)"),
        ("SELECT number FROM numbers(100) SETTINGS max_result_rows = 10", r"10 rows \(sql_result_rows\)"),
        (
            "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)",
            r"10,000,000,000 rows \(sql_read_rows\)",
        ),
        (
            "SELECT sum(sipHash64(number)) FROM numbers(9000000000) SETTINGS max_execution_time = 1",
            r"more than 1 s \(query_timeout_s\): add a condition",
        ),
        ("SELECT length(groupArray(repeat('x', 100000))) FROM numbers(1000000)", r"\(sql_memory_bytes\)"),
    ],
)
def test_a_statement_over_a_limit_is_an_error_that_says_so(console, statement, said) -> None:
    """Time, memory and rows are bounded; nothing is cut short silently; what the statement lowered itself is the bound."""
    with pytest.raises(QueryTooExpensive, match=said):
        console.ask(statement)


def test_limits_can_be_lowered_and_not_raised(console) -> None:
    """A statement's own max_execution_time counts where it is the smaller one; 0 and nonsense are the bound."""
    asked = {value: console.prepare("SELECT 1", "", {"max_execution_time": value}) for value in ("2", "99", "0", "-1", "nan", "x")}  # fmt: skip

    assert [made.settings["max_execution_time"] for made in asked.values()] == ["2", "5", "5", "5", "5", "5"]


def test_ingestion_writes_on_after_refused_and_failed_statements(console, sql_store) -> None:
    """Read-only clients are others than those that write: after everything above, and a write tried under readonly, an insert works."""
    for statement in ("INSERT INTO deploys SELECT * FROM deploys", "SELECT throwIf(1)"):
        with pytest.raises(FuseboardError):
            console.ask(statement)
    with pytest.raises(FuseboardError, match="READONLY"):
        sql_store.command("CREATE TABLE no (a Int8) ENGINE = Memory", None, {"readonly": 1})

    sql_store.command("CREATE TABLE yes (a Int8) ENGINE = Memory")
    sql_store.command("INSERT INTO yes VALUES (1)")

    assert sql_store.query("SELECT a FROM yes").rows == [{"a": 1}]
    sql_store.command("DROP TABLE yes")


def test_every_table_of_the_schema_is_readable(console, sql_store) -> None:
    """The list is the schema's own: a new table needs no second place."""
    stored = {row["name"] for row in sql_store.query("SELECT name FROM system.tables WHERE database = 'default' LIMIT 1000").rows}  # fmt: skip

    assert our_tables() <= stored | {"schema_versions"}
    assert {"logs", "spans", "metric_series", "metric_samples", "breaker_transitions", "log_minutes"} <= our_tables()  # fmt: skip
    for name in our_tables():
        console.ask(f"SELECT count() FROM {name}")


def test_there_are_no_user_files(sql_engine, tmp_path_factory) -> None:
    """The directory that file() would be bound to on a server does not hold anything."""
    del sql_engine
    # not rglob(): parts of tables come and go meanwhile
    walked = os.walk(tmp_path_factory.getbasetemp())
    found = [inside for folder, *inside in walked if Path(folder).name == "user_files"]

    assert [names for inside in found for names in inside if names] == []
