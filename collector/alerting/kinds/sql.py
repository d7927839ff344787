"""
``sql:``, a statement behind the guard of the SQL page: each row is an alert.

The column ``value`` (or the one that ``value:`` names) is its value, the other columns are its labels. A row that is no longer there is over: what counts
as data the statement says itself, and one that must tell "none" from "nothing known" can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from collector.alerting.kinds.asking import ANYTHING, Missing, Sample, Sources
from collector.errors import QueryError, Unavailable

# Rows that are alerts.
_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, and the column that holds the value."""

    text: str
    value: str

    reads: ClassVar = ANYTHING

    def find(self, sources: Sources, at: datetime) -> list[Sample]:
        """Give a sample per row."""
        del at  # a statement's now() is the engine's
        if sources.sql is None:
            raise Unavailable("engine_unavailable", "there is nobody to ask here")
        rows = sources.sql(self.text).rows
        if len(rows) > _ROWS:
            raise QueryError("too_many_rows", f"the statement gives {len(rows)} rows, {_ROWS} may be alerts")
        return [self._sample(row) for row in rows]

    def over(
        self,
        sources: Sources,
        at: datetime,
        missing: Sequence[Missing],
        fingerprint: Callable[[Sample], str],
    ) -> frozenset[str]:
        """Give all: the statement was answered, and they are not in it."""
        del sources, at, fingerprint
        return frozenset(one.fingerprint for one in missing)

    def _sample(self, row: Mapping[str, Any]) -> Sample:
        if self.value not in row:
            raise QueryError(
                "no_value",
                f"the statement has no column {self.value!r}, only {', '.join(row)}; name one with 'value:'",
            )
        try:
            value = float(row[self.value])
        except (TypeError, ValueError) as error:
            raise QueryError("no_value", f"{self.value} = {row[self.value]!r} is not a number") from error
        labels = {name: str(each) for name, each in row.items() if name != self.value and each is not None}
        return Sample(labels, value)


def read_sql(text: str, value: str | None) -> Statement:
    """
    Read a statement; whether it may run only the engine can say.

    Raises:
        ValueError: It is empty.
    """
    if not text.strip():
        raise ValueError("the statement is empty")
    return Statement(text, value or "value")
