"""How groups are evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class GroupSettings:
    """
    How groups are evaluated.

    Attributes:
        interval_s: Seconds between evaluations of a group that does not say.
        offset_s: How far back questions look, of a group that does not say.
        at_once: Questions at a time.
        silence_s: Seconds without an answer after which an alert ends; 0 = never.
        external_labels: ``$externalLabels`` of templates.
        external_url: ``$externalURL`` of templates.
    """

    interval_s: float = 15.0
    offset_s: float = 5.0
    at_once: int = 4
    silence_s: float = 7 * 86_400.0
    external_labels: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""
