"""What a kind reads of a rule as it is written."""

from __future__ import annotations

from typing import Protocol


class Written(Protocol):
    """The keys of a rule that make its question."""

    expr: str | None
    breaker: str | None
    bulkhead: str | None
    search: str | None
    sql: str | None
    silent: str | None
    slo: str | None
    fuseboard: str | None
    above: float | None
    below: float | None
    within: str | None
    by: list[str] | None
    value: str | None
