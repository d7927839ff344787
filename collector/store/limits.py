"""
What one question may take of ClickHouse, as its settings, and its refusals as a sentence that says what to narrow.

ClickHouse ends a statement by an error number; which of our settings that was, how high it is and what helps is known here only.

Source: https://clickhouse.com/docs/operations/settings/query-complexity; the numbers are of ClickHouse's ``ErrorCodes.cpp``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from collector.errors import QueryError, QueryTooExpensive, Refused, StoreError

TOO_MANY_ROWS = 158
"""ClickHouse's error number for a statement that would read more rows than it may; none was read."""
_TIMEOUT, _TOO_SLOW, _TOO_MANY_BYTES, _RESULT = 159, 160, 307, 396
_SETS = frozenset({191, 290})  # SET_SIZE_LIMIT_EXCEEDED, LIMIT_EXCEEDED
_MEMORY = frozenset({173, 241})  # CANNOT_ALLOCATE_MEMORY, MEMORY_LIMIT_EXCEEDED
_CANCELLED = 394
TOO_EXPENSIVE = frozenset({TOO_MANY_ROWS, _TIMEOUT, _TOO_SLOW, _TOO_MANY_BYTES, _RESULT, *_SETS, *_MEMORY})
"""ClickHouse's error numbers for a limit that was reached."""

_LESS = {
    "query": "narrow start and end, or name a service, an env or a rarer word",
    "sql": "add a condition on the time column, on service or env",
}
MAP_READS: Mapping[str, str] = {"optimize_functions_to_subcolumns": "0"}
"""
For statements that look several keys up in a map (attributes): it is read once for all of them. By itself ClickHouse makes a subcolumn of each key and
reads the map anew for each: nearly twice the CPU for two keys (docs/adr/0032). Who wants nothing but the names reads the column ``attributes.keys``.
"""
# Less would be nothing: ClickHouse reads 0 as "no limit".
_LEAST_S = 0.1


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """
    What one question may take.

    Attributes:
        time_s: Seconds of work, of all its statements together.
        memory_bytes: Of the engine's memory, per statement.
        result_rows: Rows of a statement's answer.
        result_bytes: Bytes of it in the engine's memory.
        read_rows: Rows read to find it; 0 = any.
        read_bytes: Bytes read to find it, uncompressed; 0 = any.
        prefix: Of the names of these settings, for what is said: ``query_memory_bytes``, ``sql_memory_bytes``.
    """

    time_s: float = 30.0
    memory_bytes: int = 2_000_000_000
    result_rows: int = 1_000_000
    result_bytes: int = 256 << 20
    read_rows: int = 10_000_000_000
    read_bytes: int = 1 << 40
    prefix: str = "query"

    def settings(self, left_s: float | None = None) -> dict[str, str]:
        """
        Return them as ClickHouse's settings.

        Args:
            left_s: Seconds left of the question's time; ``None`` = all of them.
        """
        return {
            "max_execution_time": _seconds(self.time_s if left_s is None else left_s),
            "timeout_overflow_mode": "throw",
            "timeout_before_checking_execution_speed": "0",
            "max_memory_usage": str(self.memory_bytes),
            "max_result_rows": str(self.result_rows),
            "max_result_bytes": str(self.result_bytes),
            "result_overflow_mode": "throw",
            "max_rows_to_read": str(self.read_rows),
            "max_bytes_to_read": str(self.read_bytes),
            "read_overflow_mode": "throw",
            # newest-N over wide rows reads the wide columns of N rows only
            "query_plan_max_limit_for_lazy_materialization": "10000",
            **MAP_READS,
        }

    def refused(self, error: StoreError) -> QueryError | Refused | None:
        """Return *error* as the limit it names; ``None``: it is about something else."""
        if error.clickhouse_code == _CANCELLED:
            return Refused(
                "query_cancelled", "the question was ended in the engine before its answer; ask again"
            )
        if error.clickhouse_code not in TOO_EXPENSIVE:
            return None
        return QueryTooExpensive(self._sentence(error.clickhouse_code, error.message))

    def under(self, settings: Mapping[str, str]) -> QueryLimits:
        """Return the limits that a statement under *settings* has: it may have lowered them itself."""
        return replace(
            self,
            time_s=_number(settings, "max_execution_time", self.time_s),
            memory_bytes=int(_number(settings, "max_memory_usage", self.memory_bytes)),
            result_rows=int(_number(settings, "max_result_rows", self.result_rows)),
            result_bytes=int(_number(settings, "max_result_bytes", self.result_bytes)),
            read_rows=int(_number(settings, "max_rows_to_read", self.read_rows)),
            read_bytes=int(_number(settings, "max_bytes_to_read", self.read_bytes)),
        )

    @property
    def _less(self) -> str:
        return _LESS[self.prefix]

    def out_of_time(self) -> QueryTooExpensive:
        """Return the refusal of a question whose time is over between two statements."""
        return QueryTooExpensive(self._sentence(_TIMEOUT, ""))

    def _sentence(self, code: int, said: str) -> str:
        if code in {_TIMEOUT, _TOO_SLOW}:
            return f"the question needs more than {self.time_s:g} s (query_timeout_s): {self._less}"
        if code in _MEMORY:
            whole = "the engine's whole memory, which others use too" if "(total)" in said else f"{_size(self.memory_bytes)} of memory ({self.prefix}_memory_bytes)"  # fmt: skip
            return f"the question needs more than {whole}: {self._less}, or group by fewer values"
        if code == TOO_MANY_ROWS:
            return f"the question would read more than {self.read_rows:,} rows ({self.prefix}_read_rows): {self._less}"
        if code == _TOO_MANY_BYTES:
            return f"the question would read more than {_size(self.read_bytes)} ({self.prefix}_read_bytes): {self._less}, or ask for fewer columns"
        if code == _RESULT:
            return (
                f"the answer has more than {self.result_rows:,} rows ({self.prefix}_result_rows) or "
                f"{_size(self.result_bytes)} ({self.prefix}_result_bytes): lower limit, or group by fewer values"
            )
        return f"the question reaches a limit of ClickHouse ({said[:200]}): {self._less}"


def _number(settings: Mapping[str, str], name: str, bound: float) -> float:
    try:
        found = float(settings[name])
    except (KeyError, ValueError):
        return bound
    return found if math.isfinite(found) else bound


def _seconds(time_s: float) -> str:
    """Round up: statements under the same settings share a handle of the embedded engine."""
    return f"{math.ceil(time_s)}" if time_s > 1 else f"{max(math.ceil(time_s * 10) / 10, _LEAST_S):g}"


def _size(count: int) -> str:
    for unit, size in (("TiB", 1 << 40), ("GB", 10**9), ("MiB", 1 << 20)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:,} bytes"
