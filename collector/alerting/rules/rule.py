"""What a rule file says, checked: groups of rules."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from collector.alerting.expression import Matcher
from collector.alerting.kinds.asking import Asking

# Where groups begin. Each place costs its statements by itself, and holds up what is told by what it takes.
PLACES_MS = 5_000


@dataclass(frozen=True)
class Rule:
    """
    One checked rule.

    Attributes:
        id: Of its kind, group, name and labels; what living alerts hang on.
        name: ``alert:`` or ``record:``.
        group: Its group's name.
        expr: As written.
        for_s: How long its condition holds before it fires.
        matchers: Which breakers, of ``breaker: open for …``.
        labels: Templates.
        annotations: Templates.
        kind: Which key it is written under; ``record`` = a recording rule.
        keep_firing_for_s: How long it fires on after its condition has ended.
        file: Where it is written.
        line: Where in it.
        asking: The question it asks; ``None`` = a breaker's state, seen at each tick.
    """

    id: str
    name: str
    group: str
    expr: str
    for_s: float
    matchers: tuple[Matcher, ...]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    kind: str = "breaker"
    keep_firing_for_s: float = 0.0
    file: str = ""
    line: int = 0
    asking: Asking | None = field(default=None, repr=False)

    @property
    def severity(self) -> str:
        """The label of that name, "" if none."""
        return self.labels.get("severity", "")


@dataclass(frozen=True)
class Group:
    """
    Rules that are evaluated together.

    Attributes:
        name: Unique in its file.
        file: Its file.
        rules: In order.
        interval_s: Seconds between evaluations; ``None`` = the setting's.
        offset_s: How far in the past it looks; ``None`` = the setting's.
        limit: Most alerts or samples of a rule; 0 = any.
    """

    name: str
    file: str
    rules: Sequence[Rule]
    interval_s: float | None = None
    offset_s: float | None = None
    limit: int = 0

    @property
    def id(self) -> str:
        """Give what its progress is remembered under."""
        return hashlib.sha256(f"{self.file}\0{self.name}".encode()).hexdigest()[:16]

    @property
    def asked(self) -> tuple[Rule, ...]:
        """Give the rules that are evaluated with the group, not at each tick."""
        return tuple(rule for rule in self.rules if rule.asking is not None)

    def slot(self, now: datetime, default_s: float) -> datetime:
        """
        Give the newest time at or before *now* that the group is evaluated for.

        Groups of one interval are spread over it by their names, always in the same way: a restart, or another collector, finds the same times. They
        lie on multiples of `PLACES_MS`, so that groups of any interval meet there, and what their rules ask is read once.
        """
        interval_ms = max(1, round((self.interval_s or default_s) * 1000))
        places = interval_ms // PLACES_MS if interval_ms % PLACES_MS == 0 else 1
        shift_ms = int(self.id, 16) % places * PLACES_MS
        now_ms = int(now.timestamp() * 1000)
        return datetime.fromtimestamp(
            ((now_ms - shift_ms) // interval_ms * interval_ms + shift_ms) / 1000, UTC
        )
