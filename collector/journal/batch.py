"""What is handed to the journal, and what comes back once it is durable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from collector.journal.sidecar import BatchInfo


@dataclass(frozen=True, slots=True)
class Batch:
    """
    One accepted request, ready to be written.

    Attributes:
        group: Target group, the directory of its segments.
        frames: The record's two zstd frames.
        info: What the sidecar keeps.
        waits: Nothing acts upon its records by itself: they may wait to be loaded until somebody reads.
    """

    group: str
    frames: bytes
    info: BatchInfo
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a request whose bytes are durable; *duplicate* = they already were."""

    answer: Mapping[str, Any]
    duplicate: bool
