"""What every reader shares: the store it is given, the limits of one statement, the cost of several."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from collector.errors import QueryError, QueryTooExpensive, QueryUnanswerable, StoreError

Row = dict[str, Any]

# One statement of the API: a person waits for it. The client's own deadline is longer.
_LIMITS: Mapping[str, object] = {
    "max_execution_time": 20,
    "max_memory_usage": 2_000_000_000,
    # newest-N over wide rows reads the wide columns of N rows only
    "query_plan_max_limit_for_lazy_materialization": 10_000,
}
# ClickHouse's TOO_MANY_ROWS, TIMEOUT_EXCEEDED, TOO_SLOW, MEMORY_LIMIT_EXCEEDED, TOO_MANY_BYTES; CANNOT_COMPILE_REGEXP.
_TOO_EXPENSIVE = frozenset({158, 159, 160, 241, 307})
_BAD_REGEX = 427
# FUNCTION_THROW_IF_VALUE_IS_NON_ZERO: its message is a statement's own, before ClickHouse says where it stands.
_THROWN = 395
_OWN_WORDS = re.compile(r"DB::Exception: (.*?): while executing", re.DOTALL)


class Answer(Protocol):
    """Rows of one query and what it cost."""

    @property
    def rows(self) -> list[Row]:
        """Rows, columns by name."""

    @property
    def rows_read(self) -> int:
        """Rows ClickHouse read."""

    @property
    def bytes_read(self) -> int:
        """Bytes ClickHouse read."""

    @property
    def elapsed_ms(self) -> float:
        """How long it took there."""


class Store(Protocol):
    """The part of `collector.store.client.Store` that readers use."""

    def query(
        self,
        sql: str,
        params: Mapping[str, object] | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> Answer:
        """Run a SELECT without a FORMAT clause."""


@dataclass(slots=True)
class Cost:
    """What the statements behind one answer cost together."""

    rows_read: int = 0
    bytes_read: int = 0
    elapsed_ms: float = 0.0

    def add(self, answer: Answer) -> None:
        """Count one statement."""
        self.rows_read += answer.rows_read
        self.bytes_read += answer.bytes_read
        self.elapsed_ms += answer.elapsed_ms


@dataclass(slots=True)
class Reader:
    """
    One question's connection to the store: runs statements within the limits and adds up their costs.

    Not shared between threads: one is made per request.
    """

    store: Store
    cost: Cost = field(default_factory=Cost)

    def rows(
        self,
        sql: str,
        params: Mapping[str, object] | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> list[Row]:
        """
        Run *sql* and return its rows.

        Args:
            sql: Without a FORMAT clause.
            params: Values of its places.
            settings: Beside the limits.

        Raises:
            QueryTooExpensive: Over the time or memory limit.
            QueryError: 400 ``bad_regex``: the engine refuses the regular expression.
            QueryUnanswerable: 422 ``no_answer``: the statement itself refuses what it found, in its words.
            StoreUnavailable: No answer.
        """
        try:
            answer = self.store.query(sql, params, {**_LIMITS, **(settings or {})})
        except StoreError as error:
            raise _translated(error) from error
        self.cost.add(answer)
        return answer.rows


def _translated(error: StoreError) -> Exception:
    if error.clickhouse_code in _TOO_EXPENSIVE:
        return QueryTooExpensive(
            "the question needs more time or memory than allowed; narrow start/end, service or query"
        )
    if error.clickhouse_code == _BAD_REGEX:
        return QueryError("bad_regex", "the regular expression is not valid RE2 syntax", "query")
    if error.clickhouse_code == _THROWN:
        said = _OWN_WORDS.search(error.message)
        return QueryUnanswerable("no_answer", said[1] if said else error.message)
    return error


def column(rows: Sequence[Row], name: str) -> list[Any]:
    """Return one column of *rows*."""
    return [row[name] for row in rows]
