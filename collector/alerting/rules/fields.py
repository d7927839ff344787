"""What groups and rules may have, as written; pydantic says what does not fit."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

# Which key holds a rule's question: Prometheus' own and ours.
KINDS = ("expr", "breaker", "bulkhead", "search", "sql", "silent", "slo", "fuseboard")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


class RuleFields(_Strict):
    """One rule."""

    alert: str | None = Field(None, min_length=1)
    record: str | None = Field(None, min_length=1)
    expr: str | None = None
    breaker: str | None = None
    bulkhead: str | None = None
    search: str | None = None
    sql: str | None = None
    silent: str | None = None
    slo: str | None = None
    fuseboard: str | None = None
    for_: str = Field("0s", alias="for")
    keep_firing_for: str = "0s"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    above: float | None = None
    below: float | None = None
    within: str | None = None
    by: list[str] | None = None
    value: str | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Give the keys of :data:`KINDS` that it has."""
        return tuple(kind for kind in KINDS if getattr(self, kind) is not None)


class GroupFields(_Strict):
    """One group."""

    name: str = Field(min_length=1)
    interval: str | None = None
    query_offset: str | None = None
    limit: int = Field(0, ge=0)
    labels: dict[str, str] = {}
    rules: list[RuleFields]


class FileFields(_Strict):
    """One file."""

    groups: list[GroupFields]


def written(model: type[BaseModel]) -> tuple[str, ...]:
    """Give the fields of *model* as they are written."""
    return tuple(field.alias or name for name, field in model.model_fields.items())
