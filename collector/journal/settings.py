"""Where the journal stands, and its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from collector.journal.patience import PACE_S
from collector.journal.reserve import RESERVE_BYTES


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """
    Bounds of the journal.

    Attributes:
        path: Its directory.
        max_bytes: More than this on disk and new requests are refused with 429.
        seal_ages_s: By group, seconds a small segment gathers before it is sealed; a large one gathers for one second at most.
        reserve_bytes: Space kept for seals and marks on a full disk.
        quiet_s: Seconds a small segment gathers instead while nobody reads and nothing acts upon its records; 0 = no longer than usual.
        quiet_most_s: The most of that, by group.
        pace_s: Seconds between two segments of a group that are sealed for what is in them, while nobody reads.
    """

    path: Path
    max_bytes: int = 4 << 30
    seal_ages_s: Mapping[str, float] = field(default_factory=dict)
    reserve_bytes: int = RESERVE_BYTES
    quiet_s: float = 0.0
    quiet_most_s: Mapping[str, float] = field(default_factory=dict)
    pace_s: float = PACE_S
