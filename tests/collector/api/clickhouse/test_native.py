"""Native of a protocol version, read by clickhouse-driver, whose client of ClickHouse's own protocol reads the same blocks."""

from __future__ import annotations

import io
from typing import Any

import pytest
from clickhouse_driver.bufferedreader import BufferedSocketReader
from clickhouse_driver.context import Context
from clickhouse_driver.streams.native import BlockInputStream

from collector.api.clickhouse.native import as_of
from collector.errors import StoreUnavailable, Unsupported

# With a block's info; with the byte that says whether a column is written specially; of today.
VERSIONS = (51903, 54405, 54453, 54454, 54460, 54515)
COLUMNS = [
    "number",
    "toInt8(number)",
    "toUInt256(number)",
    "toInt128(number)",
    "toFloat32(number)",
    "number % 2 = 0",
    "toString(number)",
    "repeat('long', number % 100)",
    "toFixedString(leftPad(toString(number), 7, '0'), 7)",
    "toDate(number % 100)",
    "toDate32('1950-01-01') + number % 100",
    "toDateTime(number, 'UTC')",
    "toDateTime64(number, 9, 'UTC')",
    "toDecimal32(number % 1000, 2)",
    "toDecimal64(number, 3)",
    "toDecimal128(number, 4)",
    "toDecimal256(number, 5)",
    "CAST(number, 'Decimal(20, 3)')",
    "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')",
    "toIPv4('127.0.0.1')",
    "toIPv6('::1')",
    "CAST(number % 2 + 1, 'Enum8(\\'a, (\\' = 1, \\'b\\'\\')\\' = 2)')",
    "CAST(1, 'Enum16(\\'a\\' = 1)')",
    "toIntervalDay(number)",
    "NULL",
    "if(number % 2, NULL, number)",
    "if(number % 2, NULL, toString(number))",
    "range(number % 5)",
    "arrayMap(x -> range(x), range(number % 5))",
    "arrayMap(x -> if(x % 2, NULL, toString(x)), range(number % 5))",
    "[]",
    "(number, toString(number))",
    "CAST((number, 'x'), 'Tuple(a UInt64, `b c` String)')",
    "CAST([(1, 'x')], 'Nested(a UInt8, b String)')",
    "map('a', number, 'b', 2)",
    "map('a', map('b', [number]))",
    "toLowCardinality(toString(number % 300))",
    "toLowCardinality(toString(number))",
    "toLowCardinality(if(number % 2, NULL, 'x'))",
    "CAST(arrayMap(x -> toString(x), range(number % 5)), 'Array(LowCardinality(String))')",
    "CAST([], 'Array(LowCardinality(String))')",
    "CAST(map('a', toString(number)), 'Map(LowCardinality(String), LowCardinality(String))')",
    "CAST(('a', 'b'), 'Tuple(LowCardinality(String), LowCardinality(Nullable(String)))')",
    "CAST((1.5, 2.5), 'Point')",
    "CAST([[(1.5, 2.5)]], 'Polygon')",
    "CAST(number, 'SimpleAggregateFunction(sum, UInt64)')",
]
# Which clickhouse-driver itself does not read.
UNREAD = {
    "toIntervalDay(number)",
    "CAST([(1, 'x')], 'Nested(a UInt8, b String)')",
    "map('a', map('b', [number]))",
}


class _Socket:
    """Bytes as a socket gives them."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def recv_into(self, buffer: Any) -> int:
        """As a socket."""
        return self._data.readinto(buffer)


class _Server:
    """What the stream is told of a server."""

    def __init__(self, version: int) -> None:
        self.used_revision = version

    def get_timezone(self) -> str:
        """As a server of ours."""
        return "UTC"


def read(data: bytes, version: int) -> list[list[Any]]:
    """The columns of all blocks, by clickhouse-driver."""
    context = Context()
    context.server_info = _Server(version)
    context.settings = {}
    context.client_settings = {"use_numpy": False, "strings_as_bytes": False, "strings_encoding": "utf-8", "namedtuple_as_json": False,
                               "server_side_params": False, "input_format_null_as_default": False, "use_client_time_zone": False}  # fmt: skip
    source = BufferedSocketReader(_Socket(data), 1 << 16)
    stream = BlockInputStream(source, context)
    columns: list[list[Any]] = []
    while True:
        try:
            block = stream.read()
        except EOFError:
            return columns
        found = [list(column) for column in block.get_columns()]
        columns = [a + b for a, b in zip(columns, found, strict=True)] if columns else found


def native(engine: Any, sql: str) -> bytes:
    """The engine's own answer."""
    return engine.connection.query(sql, "Native").bytes()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_type_is_read_as_before(engine, version) -> None:
    """A client that says a version gets the same values; two blocks, one of them of one row."""
    named = [f"{column} AS c{number}" for number, column in enumerate(COLUMNS) if column not in UNREAD]
    answer = native(engine, f"SELECT {', '.join(named)} FROM numbers(400) SETTINGS max_block_size = 399")

    found = read(as_of(answer, version), version)

    assert found == read(answer, 0)
    assert len(found) == len(named)
    assert {len(column) for column in found} == {400}


@pytest.mark.parametrize("column", COLUMNS)
def test_each_type_is_measured_by_itself(engine, column) -> None:
    """Of five rows, of one and of none: what is added is the block's info and a byte."""
    for rows in (5, 1, 0):
        answer = native(engine, f"SELECT {column} AS c, 'end' AS e FROM numbers({rows})")

        made = as_of(answer, 54460)

        assert len(made) == (len(answer) + 8 + 2 if answer else 0)
        assert made[8:].replace(b"\x01e\x06String\x00", b"\x01e\x06String", 1).endswith(answer[-9:])


def test_no_version_leaves_the_bytes_alone(engine) -> None:
    """0 is what a client means that says none."""
    answer = native(engine, "SELECT 1")

    assert as_of(answer, 0) is answer


@pytest.mark.parametrize("column", ["quantileState(0.5)(number)", "uniqState(number)", "CAST(any(number), 'Dynamic')", "CAST('{\"a\":1}', 'JSON')"])  # fmt: skip
def test_what_cannot_be_measured_is_refused_by_name(engine, column) -> None:
    """The refusal names the type and what to do."""
    answer = native(engine, f"SELECT {column} AS c FROM numbers(3) GROUP BY number % 2 SETTINGS allow_suspicious_types_in_group_by = 1, enable_dynamic_type = 1, enable_json_type = 1")  # fmt: skip

    with pytest.raises(Unsupported, match=r"type (AggregateFunction|Dynamic|JSON).*finalizeAggregation"):
        as_of(answer, 54460)


def test_a_cut_answer_is_an_error_and_never_a_loop(engine) -> None:
    """At each of its bytes."""
    answer = native(
        engine, "SELECT toString(number) AS s, [number] AS a, toLowCardinality('x') AS l FROM numbers(3)"
    )

    for end in range(1, len(answer)):
        with pytest.raises((StoreUnavailable, Unsupported)):
            as_of(answer[:end], 54460)
