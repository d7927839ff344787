"""How long rows are kept, and on how much disk."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from collector.settings.frozen import Frozen, Subject


class RetentionSettings(Frozen):
    """``[[retention]]``: how long some rows are kept; the first that fits a row wins."""

    days: int = Field(
        ge=1, le=65535, description="Days that they are kept, and that their own times may lie back."
    )
    signal: Literal["", "logs", "traces", "metrics", "breakers"] = Field(
        "", description="Kind of the rows; empty = any."
    )
    service: str = Field("", description="Service of the rows; empty = any.")
    env: str = Field("", description="Environment of the rows; empty = any.")


class KeepingFields(Subject):
    """Days by kind of rows, and the bounds of the embedded engine's disk."""

    retention_days: int = Field(
        30,
        ge=1,
        le=65535,
        description="Days that records are kept, and that their own times may lie back; more than 25000 count as 25000.",
    )
    retention: tuple[RetentionSettings, ...] = Field(
        (),
        description="Other days for some signals, services and environments; at most four different numbers with retention_days.",
    )
    disk_max_bytes: int | None = Field(
        None,
        ge=64 << 20,
        description="Bytes of the embedded engine's tables; beyond it the oldest partitions are dropped, and it is said which; unset = no bound.",
    )
    disk_free_bytes: int | None = Field(
        None,
        ge=0,
        description="Bytes of the disk kept free, by dropping the oldest partitions before today's; unset = 5 % of it, 2 to 20 GiB.",
    )
