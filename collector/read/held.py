"""What is kept of one instance of one breaker (present.py): its transitions of the last hour, those ahead of our clock, and what the older ones leave."""

from __future__ import annotations

from dataclasses import dataclass, field

from collector.query.window import SECOND_NS
from collector.read.breakers import HOUR_NS
from collector.read.last_states import LOOK_BACK_NS
from collector.read.transitions import AROUND_NS, Transition, reconcile, settled

# A service's clock may be ahead of ours, and its last word counts.
AHEAD_NS = 60 * SECOND_NS
KEPT_NS = HOUR_NS + AROUND_NS


@dataclass(slots=True)
class Held:
    """
    One instance of one breaker.

    Attributes:
        rows: What is younger than an hour, by time.
        last: The newest of what is older; *told* the newest explicit one of that.
        shown: What its state rests on; None = nothing within a month.
        hour: Reconciled, newest first.
        until_ns: When time alone changes that.
    """

    rows: list[Transition] = field(default_factory=list)
    last: Transition | None = None
    told: Transition | None = None
    heard_ns: int = 0
    shown: Transition | None = None
    hour: tuple[Transition, ...] = ()
    until_ns: int = 0

    def take(self, row: Transition) -> None:
        """Add a new row."""
        self.rows.append(row)
        self.until_ns = 0

    def look(self, now_ns: int) -> None:
        """Bring *shown* and *hour* up to *now_ns*."""
        self.rows.sort(key=lambda row: (row.at_ns, row.derived))
        while self.rows and self.rows[0].at_ns < now_ns - KEPT_NS:
            self._age(self.rows.pop(0))
        end_ns = now_ns + AHEAD_NS
        visible = [row for row in self.rows if row.at_ns < end_ns]
        around = reconcile(visible)
        self.shown = around[0] if around else self._older(now_ns)
        self.hour = tuple(each for each in around if each.at_ns >= now_ns - HOUR_NS)
        heard = (row.observed_ns for row in visible)
        self.heard_ns = max(self.heard_ns, *heard, 0)
        self.until_ns = self._next_ns(now_ns, len(visible))

    def _age(self, row: Transition) -> None:
        if self.last is None or (row.at_ns, not row.derived) >= (self.last.at_ns, not self.last.derived):
            self.last = row
        if not row.derived and (self.told is None or row.at_ns >= self.told.at_ns):
            self.told = row

    def _older(self, now_ns: int) -> Transition | None:
        if self.last is None or self.last.at_ns < now_ns - LOOK_BACK_NS:
            return None
        return settled(self.last, self.told)

    def _next_ns(self, now_ns: int, visible: int) -> int:
        """Give when time alone changes something; *visible* rows are not ahead of us."""
        changes = [now_ns + LOOK_BACK_NS]
        changes += [row.at_ns + KEPT_NS + 1 for row in self.rows[:1]]
        changes += [each.at_ns + HOUR_NS + 1 for each in self.hour[-1:]]
        changes += [row.at_ns - AHEAD_NS + 1 for row in self.rows[visible : visible + 1]]
        changes += [row.at_ns + LOOK_BACK_NS + 1 for row in (self.last,) if row is not None]
        return min(change for change in changes if change > now_ns)
