"""
What is kept of one instance of one breaker (present.py): its transitions of the last hour and some minutes, those ahead of our clock, and what the older ones leave.

The minutes beside the hour are for whoever asks how things stood a moment ago: `Held.as_of` says it for any time within them, as the tables would.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from collector.query.window import SECOND_NS
from collector.read.breakers import HOUR_NS
from collector.read.last_states import LOOK_BACK_NS
from collector.read.transitions import AROUND_NS, Transition, reconcile, settled

# A service's clock may be ahead of ours, and its last word counts.
AHEAD_NS = 60 * SECOND_NS
KEPT_NS = HOUR_NS + AROUND_NS
# So far back it can be said how things stood: the five minutes after which the past is settled (breakers.py), and as long as a question may wait for its turn.
BACK_NS = 360 * SECOND_NS


@dataclass(frozen=True, slots=True)
class Look:
    """
    One instance at some time.

    Attributes:
        shown: What its state rests on; None = nothing within a month.
        hour: Reconciled, newest first.
        heard_ns: When the last of its transitions until then was observed.
    """

    shown: Transition | None = None
    hour: tuple[Transition, ...] = ()
    heard_ns: int = 0


@dataclass(slots=True)
class Held:
    """
    One instance of one breaker.

    Attributes:
        rows: What is younger than an hour and some minutes, by time.
        last: The newest of what is older; *told* the newest explicit one of that.
        heard_ns: When the last of what is older was observed.
        seen: How it stood at the last look.
        until_ns: When time alone changes that.
    """

    rows: list[Transition] = field(default_factory=list)
    last: Transition | None = None
    told: Transition | None = None
    heard_ns: int = 0
    seen: Look = Look()
    until_ns: int = 0

    def take(self, row: Transition) -> None:
        """Add a new row."""
        self.rows.append(row)
        self.until_ns = 0

    def look(self, now_ns: int) -> None:
        """Bring *seen* up to *now_ns*."""
        self.rows.sort(key=_order)
        old = self._first(now_ns - KEPT_NS - BACK_NS)
        self.last, self.told = self._older(old)
        self.heard_ns = max([self.heard_ns, *(row.observed_ns for row in self.rows[:old])])
        del self.rows[:old]
        self.seen = self.as_of(now_ns, now_ns + AHEAD_NS)
        self.until_ns = self._next_ns(now_ns)

    def as_of(self, now_ns: int, end_ns: int) -> Look:
        """
        Say how it stood at *now_ns*, by what happened before *end_ns*.

        Args:
            now_ns: No more than `BACK_NS` before the last look.
            end_ns: Not before *now_ns*.
        """
        first, end = self._first(now_ns - KEPT_NS), self._first(end_ns)
        around = reconcile(self.rows[first:end])
        last, told = self._older(first)
        if last is not None and last.at_ns < now_ns - LOOK_BACK_NS:
            last = None
        shown = around[0] if around else last and settled(last, told)
        heard = (row.observed_ns for row in self.rows[:end])
        hour = tuple(each for each in around if each.at_ns >= now_ns - HOUR_NS)
        return Look(shown, hour, max([self.heard_ns, *heard]))

    def stood(self, then_ns: int, now_ns: int) -> bool:
        """Whether `as_of` *then_ns* gives what the last look, valid at *now_ns*, saw (but for who was heard)."""
        if self.last is not None and then_ns <= self.last.at_ns + LOOK_BACK_NS < now_ns:
            return False
        return not any(
            row.at_ns >= then_ns
            or then_ns <= row.at_ns + KEPT_NS < now_ns
            or then_ns <= row.at_ns + HOUR_NS < now_ns
            for row in self.rows
        )

    def _first(self, at_ns: int) -> int:
        """Give the place of the first row that is not before *at_ns*."""
        return bisect_left(self.rows, at_ns, key=lambda row: row.at_ns)

    def _older(self, count: int) -> tuple[Transition | None, Transition | None]:
        """Give *last* and *told* as the first *count* rows leave them."""
        last, told = self.last, self.told
        for row in self.rows[:count]:
            if last is None or _order(row) >= _order(last):
                last = row
            if not row.derived and (told is None or row.at_ns >= told.at_ns):
                told = row
        return last, told

    def _next_ns(self, now_ns: int) -> int:
        """Give when time alone changes something."""
        first, ahead = self._first(now_ns - KEPT_NS), self._first(now_ns + AHEAD_NS)
        last, _ = self._older(first)
        changes = [now_ns + LOOK_BACK_NS]
        changes += [row.at_ns + KEPT_NS + BACK_NS + 1 for row in self.rows[:1]]
        changes += [row.at_ns + KEPT_NS + 1 for row in self.rows[first : first + 1]]
        changes += [each.at_ns + HOUR_NS + 1 for each in self.seen.hour[-1:]]
        changes += [row.at_ns - AHEAD_NS + 1 for row in self.rows[ahead : ahead + 1]]
        changes += [row.at_ns + LOOK_BACK_NS + 1 for row in (last,) if row is not None]
        return min(change for change in changes if change > now_ns)


def _order(row: Transition) -> tuple[int, bool]:
    """Order by time; of the same time the explicit one is the newer."""
    return row.at_ns, not row.derived
