"""
Native of a client's protocol version, made from the engine's, which writes Native of no version.

What a version adds (ClickHouse's NativeWriter): from 1 on each block begins with its BlockInfo; from 54454 on the type of each column is followed
by a byte that says whether the column is written in a special way: never, here. The rest is the same bytes, so a column's bytes only have to be
measured, by its type. Fixed widths are one multiplication a column; strings are walked, one step a value (≈ 12 M/s).

::

    answer = block*
    block  = [BlockInfo] varint(columns) varint(rows) (name, type, [special: UInt8], data of all rows)*

Types whose length only the engine knows (aggregate states, Dynamic, JSON, Variant) are refused.

Source: https://clickhouse.com/docs/interfaces/formats/Native; ClickHouse's src/Formats/NativeWriter.cpp and src/Core/BlockInfo.h.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from collector.errors import StoreUnavailable, Unsupported

# DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION
SPECIAL_FROM = 54454
# Field 1, is_overflows: no; field 2, bucket_num: -1 = none; 0 = no further field.
BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_WIDTHS = {
    "Nothing": 1, "Bool": 1, "Int8": 1, "UInt8": 1, "Enum8": 1, "Int16": 2, "UInt16": 2, "Enum16": 2, "Date": 2, "BFloat16": 2,
    "Int32": 4, "UInt32": 4, "Float32": 4, "Date32": 4, "DateTime": 4, "Time": 4, "IPv4": 4, "Decimal32": 4,
    "Int64": 8, "UInt64": 8, "Float64": 8, "DateTime64": 8, "Time64": 8, "Decimal64": 8,
    "Int128": 16, "UInt128": 16, "UUID": 16, "IPv6": 16, "Decimal128": 16, "Int256": 32, "UInt256": 32, "Decimal256": 32,
}  # fmt: skip
_ALIASES = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "MultiPoint": "Array(Point)",
    "Polygon": "Array(Ring)",
    "MultiLineString": "Array(LineString)",
    "MultiPolygon": "Array(Polygon)",
}
_NAME = re.compile(r"\w+")
# A tuple's element may be named: ``name Type`` or ``\`name\` Type``.
_ELEMENT_NAME = re.compile(r"(?:`(?:[^`\\]|\\.)*`|[A-Za-z_]\w*) +(?=\w)")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`")
# By how many digits a Decimal is wide.
_DECIMALS = ((9, 4), (18, 8), (38, 16), (76, 32))
_DEEPEST = 32

Measure = Callable[[bytes, int, int], int]


@dataclass(frozen=True, slots=True)
class Shape:
    """
    How a type's values lie in a column.

    Attributes:
        prefix: Bytes before the data: a version number for each LowCardinality within.
        measure: Bytes, place, rows -> the place after the rows.
    """

    prefix: int
    measure: Measure


def as_of(data: bytes, version: int) -> bytes:
    """
    Return *data*, Native of no version, as Native of *version*.

    Raises:
        Unsupported: ``unsupported_format``: a column is of a type that cannot be measured.
        StoreUnavailable: *data* is cut off.
    """
    if version <= 0:
        return data
    parts: list[bytes] = []
    place = 0
    try:
        while place < len(data):
            place = _block(data, place, version, parts)
    except IndexError as error:
        raise StoreUnavailable("the engine's answer is cut off") from error
    return b"".join(parts)


def _block(data: bytes, place: int, version: int, parts: list[bytes]) -> int:
    start = place
    columns, place = _varint(data, place)
    rows, place = _varint(data, place)
    parts += (BLOCK_INFO, data[start:place])
    for _ in range(columns):
        start = place
        _, place = _text(data, place)
        kind, place = _text(data, place)
        parts += (data[start:place], b"\x00" if version >= SPECIAL_FROM else b"")
        start = place
        if rows:
            shape = _shape(kind.decode(), 0)
            place = shape.measure(data, place + shape.prefix, rows)
            if place > len(data):
                raise IndexError
        parts.append(data[start:place])
    return place


def _shape(kind: str, depth: int) -> Shape:
    found = _NAME.match(kind)
    name = found[0] if found else ""
    if depth > _DEEPEST or (found and kind[found.end() :] and not kind.endswith(")")):
        raise _unmeasured(kind)
    inside = _arguments(kind[len(name) + 1 : -1])
    if name in _ALIASES:
        return _shape(_ALIASES[name], depth + 1)
    if width := _width(name, inside):
        return Shape(0, lambda _, place, rows: place + width * rows)
    if name == "String":
        return Shape(0, _strings)
    if name in {"Tuple", "Nested"}:
        inside = [_ELEMENT_NAME.sub("", part, count=1) if _ELEMENT_NAME.match(part) else part for part in inside]  # fmt: skip
    return _container(name, kind, [_shape(part, depth + 1) for part in _members(name, inside)])


def _members(name: str, inside: list[str]) -> list[str]:
    """Leave out what is no type: the function of a SimpleAggregateFunction; and that a dictionary's keys may be NULL, which is its first one."""
    if name == "SimpleAggregateFunction":
        return inside[-1:]
    if name == "LowCardinality":
        return [part.removeprefix("Nullable(").removesuffix(")") if part.startswith("Nullable(") else part for part in inside]  # fmt: skip
    return inside if name in {"Nullable", "Array", "Map", "Tuple", "Nested"} else []


def _container(name: str, kind: str, members: list[Shape]) -> Shape:
    if not members and name != "Tuple":
        raise _unmeasured(kind)
    prefix = sum(member.prefix for member in members)
    match name:
        case "SimpleAggregateFunction":
            return members[0]
        case "Nullable":
            return Shape(prefix, lambda data, place, rows: members[0].measure(data, place + rows, rows))
        case "LowCardinality":
            return Shape(8, lambda data, place, rows: _dictionary(members[0], data, place, rows))
        case "Tuple" if not members:
            return Shape(0, lambda _, place, rows: place + rows)
        case "Tuple":
            return Shape(prefix, lambda data, place, rows: _each(members, data, place, rows))
        case _:
            return Shape(prefix, lambda data, place, rows: _lists(members, data, place, rows))


def _each(members: list[Shape], data: bytes, place: int, rows: int) -> int:
    for member in members:
        place = member.measure(data, place, rows)
    return place


def _lists(members: list[Shape], data: bytes, place: int, rows: int) -> int:
    """Measure arrays, maps and nested tables: where each row ends, then the values of all."""
    place += 8 * rows
    values = _number(data, place - 8, 8) if rows else 0
    return _each(members, data, place, values)


def _dictionary(member: Shape, data: bytes, place: int, rows: int) -> int:
    """Measure one LowCardinality: flags with the width of an index in their low byte, the keys, an index per row."""
    if not rows:
        return place
    width = 1 << (_number(data, place, 8) & 0xFF)
    keys = _number(data, place + 8, 8)
    place = member.measure(data, place + 16, keys)
    return place + 8 + width * _number(data, place, 8)


def _strings(data: bytes, place: int, rows: int) -> int:
    for _ in range(rows):
        size = data[place]
        if size < 128:
            place += size + 1
        else:
            size, place = _varint(data, place)
            place += size
    return place


def _width(name: str, inside: list[str]) -> int:
    """Return the bytes of one value; 0 = they differ."""
    if name == "FixedString":
        return int(inside[0])
    if name == "Decimal":
        return next(width for digits, width in _DECIMALS if int(inside[0]) <= digits)
    return 8 if name.startswith("Interval") else _WIDTHS.get(name, 0)


def _arguments(text: str) -> list[str]:
    """Split at the commas that lie in no parentheses and no quotes."""
    plain = _QUOTED.sub(lambda found: "_" * len(found[0]), text)
    depth, start, parts = 0, 0, []
    for place, sign in enumerate(plain):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()] if text else []


def _text(data: bytes, place: int) -> tuple[bytes, int]:
    size, place = _varint(data, place)
    return data[place : place + size], place + size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 128:
            return value, place
        shift += 7


def _number(data: bytes, place: int, width: int) -> int:
    if place + width > len(data):
        raise IndexError
    return int.from_bytes(data[place : place + width], "little")


def _unmeasured(kind: str) -> Unsupported:
    return Unsupported(
        "unsupported_format",
        f"a column of type {kind[:80]} cannot be sent as Native of a protocol version by the embedded engine; select it otherwise "
        "(finalizeAggregation(…), toString(…)), use another format, or server mode",
        "client_protocol_version",
    )
