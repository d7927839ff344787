"""Segments as the journal writes them, and a database that loads them: what tests and benchmarks of mappings share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import chdb
from backports import zstd
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from collector import formats
from collector.formats.registry import BEHIND
from collector.journal import envelope
from collector.load.loader import BLOCK_RAW_BYTES
from collector.load.mapping import Mapping, read_mappings
from collector.store.migrate import read_migrations

Record = tuple[envelope.Head, bytes]
Kept = Sequence[tuple[str, str, int]]

TABLES = {
    "lines": ("logs",),
    "syslog": ("logs",),
    "fluent_forward": ("logs",),
    "elasticsearch": ("logs",),
    "hec": ("logs",),
    "loki": ("logs",),
    "loki_json": ("logs",),
    "otlp_logs": ("logs",),
    "otlp_logs_json": ("logs",),
    "otlp_traces": ("spans",),
    "otlp_traces_json": ("spans",),
    "otlp_metrics": ("metric_entries", "exemplars"),
    "otlp_metrics_json": ("metric_entries", "exemplars"),
    "exposition": ("metric_series", "metric_samples", "exemplars"),
    "remote_write": ("metric_entries", "histogram_series", "histogram_samples", "exemplars"),
    "remote_write_v2": (
        "metric_entries",
        "histogram_series",
        "histogram_samples",
        "exemplars",
    ),
    "collectd": ("metric_series", "metric_samples"),
    "zipkin": ("spans",),
    "breakers": ("breaker_transitions",),
    "reports": ("agent_reports",),
}


_TARGET = re.compile(r"^INSERT INTO (\w+)", re.MULTILINE)


def segment(records: Iterable[Record]) -> bytes:
    """Return a sealed segment: two zstd frames per record, the envelope's head and the body."""
    return b"".join(
        zstd.compress(envelope.encode(head, len(body))) + zstd.compress(body) for head, body in records
    )


def mappings(name: str) -> tuple[Mapping, ...]:
    """Return the mappings of the format called *name*."""
    return read_mappings(Path(formats.__path__[0]) / name, TABLES[name])


def filled(name: str) -> frozenset[str]:
    """Return the tables that hold rows of the format called *name*."""
    targets = {found for mapping in mappings(name) for found in _TARGET.findall(mapping.sql)}
    return frozenset(table for target in targets for table in BEHIND.get(target, (target,)))


def any_value(value: Any) -> AnyValue:  # noqa: PLR0911 - one per kind
    """Return *value* as OTLP's AnyValue; None is one without a kind."""
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
    return AnyValue(kvlist_value=KeyValueList(values=pairs(value)))


def pairs(values: dict[str, Any]) -> list[KeyValue]:
    """Return *values* as OTLP's list of KeyValue."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


class Warehouse:
    """
    The schema in an embedded engine of this process.

    Args:
        folder: Empty; one per process, the engine allows no second.
    """

    def __init__(self, folder: Path) -> None:
        self._connection = chdb.connect(str(folder / "engine"))
        self._segment = folder / "segment.pb.zst"
        self._run(
            "SET max_insert_threads = 1, min_insert_block_size_rows = 100000000, min_insert_block_size_bytes = 0, "
            f"input_format_max_block_size_bytes = {BLOCK_RAW_BYTES}"
        )
        for migration in read_migrations():
            for statement in migration.statements():
                self._run(statement)

    @property
    def connection(self) -> Any:
        """The engine itself, for tests of what it writes."""
        return self._connection

    def load(
        self,
        name: str,
        *records: Record,
        retention_days: int = 30,
        kept: Kept = (),
        lacks: Sequence[str] = (),
    ) -> None:
        """Load *records* as one segment of the format called *name*; *kept* are rules before the one that fits all, *lacks* the statements not to run."""
        rules = ", ".join(
            f"({_quoted(service)}, {_quoted(env)}, {days})"
            for service, env, days in [*kept, ("", "", retention_days)]
        )
        self._segment.write_bytes(segment(records))
        for mapping in (mapping for mapping in mappings(name) if mapping.table not in lacks):
            for key, value in mapping.settings().items():
                self._run(f"SET {key} = {_quoted(value)}")
            self._run(
                mapping.insert_from_file(str(self._segment)),
                {"retention_days": str(retention_days), "kept": f"[{rules}]"},
            )

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return the answer of *sql*, a row each; NaN and infinities as text."""
        answer = self._run(f"{sql} SETTINGS output_format_json_quote_denormals = 1")
        return [json.loads(line) for line in answer.splitlines()]

    def empty(self) -> None:
        """Forget every row that a mapping wrote."""
        for table in sorted(set().union(*map(filled, TABLES))):
            self._run(f"TRUNCATE TABLE {table}")

    def close(self) -> None:
        """Close the engine."""
        self._connection.close()

    def run(self, sql: str, parameters: dict[str, str]) -> None:
        """Run a statement with places; values as ClickHouse reads them from text."""
        self._run(sql, parameters)

    def _run(self, sql: str, parameters: dict[str, str] | None = None) -> str:
        return str(self._connection.query(sql, "JSONEachRow", params=parameters or {}))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"
