"""
A format's .sql and .proto as the statement that loads one segment.

A mapping is a file ``formats/<name>/<table>.sql`` holding one ``INSERT INTO <table> (…) SELECT … FROM segment('<structure of body>')``
statement. ``segment(…)`` stands for the envelopes of one segment: the head's columns (journal/envelope.py) plus those named.
A line ``-- include <file>.sql`` stands for that file of the folder, or, with ``../``, of ``formats/``.
Parameters: ``{kept:Array(Tuple(String, String, UInt16))}`` (retention.py) and, for the pipeline's own books, ``{retention_days:UInt16}``. Mappings are pure functions of the segment's bytes: the clock is ``received_at``.

Rendered for the embedded engine the source is ``file('<path>', 'Protobuf', …)`` on the shared disk; for a server it is
``input(…)`` and the segment is the request's body. The schema travels inline either way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from collector.journal import envelope

_SEGMENT = re.compile(r"\bsegment\('((?:[^'\\]|\\.)*)'\)")
_INCLUDE = re.compile(r"^-- include (\S+\.sql)$", re.MULTILINE)
_SELECT = re.compile(r"^(WITH|SELECT)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mapping:
    """
    How segments of one format become rows of one table.

    Attributes:
        table: Name of the file, and so of its mark and its token: that of the table, or of what it loads into one that another file loads, too.
        sql: Text of the .sql file.
        schema: Text of the .proto that describes an envelope.
    """

    table: str
    sql: str
    schema: str

    def insert_from_file(self, path: str) -> str:
        """Return the INSERT for a segment file that the engine can read at *path*."""
        return _SEGMENT.sub(lambda found: self._file(path, found[1]), self.sql)

    def insert_from_input(self) -> str:
        """Return the INSERT for a segment sent as the request's zstd body."""
        return _SEGMENT.sub(lambda found: f"input('{envelope.STRUCTURE}, {found[1]}')", self.sql)

    def select_from_file(self, path: str) -> str:
        """Return the SELECT alone, reading the segment file at *path*: what would be inserted."""
        return self._select(self.insert_from_file(path))

    def insert_into_nothing(self) -> str:
        """
        Return an INSERT that makes the rows of the request's zstd body and keeps none.

        ``input()`` is read by INSERT alone. Source: https://clickhouse.com/docs/sql-reference/table-functions/input and …/null.
        """
        select = self._select(self.insert_from_input()).rstrip().rstrip(";")
        return f"INSERT INTO FUNCTION null('made UInt8') SELECT ignore(*) FROM (\n{select}\n)"

    def _select(self, insert: str) -> str:
        found = _SELECT.search(insert)
        assert found is not None, f"{self.table}.sql holds no SELECT at the start of a line"
        return insert[found.start() :]

    def settings(self) -> dict[str, str]:
        """Return the settings that let the engine read the envelopes."""
        return {
            "format_schema_source": "string",
            "format_schema": self.schema,
            "format_schema_message_name": "Envelope",
        }

    @staticmethod
    def _file(path: str, body: str) -> str:
        quoted = path.replace("\\", "\\\\").replace("'", "\\'")
        return f"file('{quoted}', 'Protobuf', '{envelope.STRUCTURE}, {body}', 'zstd')"


def read_mappings(folder: Path, tables: tuple[str, ...]) -> tuple[Mapping, ...]:
    """
    Read the mappings of one format.

    Args:
        folder: ``formats/<name>``; its ``request.proto``, if any, declares ``message Request``.
        tables: In the order they are to be loaded; each has its ``<table>.sql``.
    """
    proto = folder / "request.proto"
    schema = envelope.schema(proto.read_text() if proto.exists() else None)
    return tuple(Mapping(table, _text(folder, f"{table}.sql"), schema) for table in tables)


def _text(folder: Path, name: str) -> str:
    """Return a .sql file with its includes put in."""
    return _INCLUDE.sub(lambda found: _text(folder, found[1]).rstrip(), (folder / name).read_text())
