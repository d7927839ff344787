"""
How long a small segment gathers before it is sealed.

A line is searchable two seconds after its 2xx by whoever asks. While nobody does, a small segment of records that nothing acts upon gathers for
``quiet_s`` instead, since its load costs the same as if it held a thousand times as much; a reader or a record that somebody waits for ends that.

A record that something acts upon (a breaker that opens) has its segment sealed at the usual age, but while nobody reads not more often than every
`PACE_S`: the first is told at once, and what flaps is loaded together.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping

SEAL_AGE_S = 1.0
"""Of a small segment, unless its group has an age of its own (`JournalSettings.seal_ages_s`)."""
# From so many raw bytes on the fixed cost of a load is a small part of it, and waiting longer gains nothing.
_LARGE_RAW_BYTES = 2 << 20
_SEAL_LARGE_S = 1.0
# What may wait for a reader holds less than this: a load that is mostly its fixed cost, and one that a reader waits for.
# Measured: a mebibyte of lines adds a tenth to what the load of one line costs.
_QUIET_RAW_BYTES = 1 << 20
# After a reader this long there may be another question: a page that refreshes itself, a live tail.
_ATTENDED_S = 10.0
PACE_S = 5.0
"""Between two segments of a group that are sealed for what is in them, while nobody reads."""
LOADED_WITHIN_S = 1.0
"""A reader who finds the engine busy or away does not wait much longer for it than a load takes."""
# The name that stands for every group; no group has it.
_ALL = ""


class Patience:
    """
    Ages of open segments, in monotonic seconds. Readers are remembered from any thread, the rest is the writer's.

    Args:
        ages_s: By group, how long a small segment usually gathers.
        quiet_s: How long it gathers while nobody reads and nothing acts upon its records.
        most_s: By group, the longest that is.
        pace_s: Between two segments of a group that are sealed for what is in them, while nobody reads.
    """

    def __init__(
        self,
        ages_s: Mapping[str, float],
        quiet_s: float,
        most_s: Mapping[str, float],
        pace_s: float = PACE_S,
    ) -> None:
        self._ages_s = ages_s
        self._quiet_s = quiet_s
        self._most_s = most_s
        self._pace_s = pace_s
        self._hurried: set[str] = set()
        self._readers: dict[str, tuple[float, float]] = {}
        self._acted: set[str] = set()
        self._next: dict[str, float] = {}

    def read(self, groups: Collection[str] | None = None) -> None:
        """Hear that there may soon be another question about *groups*; ``None`` = about any."""
        now = time.monotonic()
        for name in (_ALL,) if groups is None else groups:
            since, last = self._readers.get(name, (now, now))
            self._readers[name] = (since if now - last < _ATTENDED_S else now, now)

    def hurry(self, groups: Iterable[str]) -> None:
        """Let the open segments of *groups* gather no longer than usual: somebody waits for them."""
        self._hurried.update(groups)

    def act(self, group: str) -> None:
        """Hear that something acts upon a record of *group*'s open segment."""
        self._acted.add(group)

    def forget(self, group: str) -> None:
        """Hear that *group* has no open segment any more."""
        self._hurried.discard(group)
        if group in self._acted:
            self._acted.discard(group)
            self._next[group] = time.monotonic() + self._pace_s

    def usual_s(self, group: str, raw_bytes: int) -> float:
        """Return the age at which a segment is sealed that somebody waits for."""
        age_s = self._ages_s.get(group, SEAL_AGE_S)
        return min(age_s, _SEAL_LARGE_S) if raw_bytes >= _LARGE_RAW_BYTES else age_s

    def age_s(self, group: str, raw_bytes: int, opened: float) -> float:
        """Return the age at which a segment opened at *opened* is sealed as things are."""
        usual_s = self.usual_s(group, raw_bytes)
        if group in self._hurried or raw_bytes >= _QUIET_RAW_BYTES or self._attended_since(group) is not None:
            return usual_s
        if group in self._acted:
            return usual_s if self._quiet_s <= 0 else max(usual_s, self._next.get(group, 0.0) - opened)
        return max(usual_s, min(self._quiet_s, self._most_s.get(group, self._quiet_s)))

    def has_gathered(self, group: str, raw_bytes: int, opened: float) -> bool:
        """Say whether a segment that is to be sealed now was kept open for nobody, until its time was over or somebody came."""
        return group in self._hurried or self.age_s(group, raw_bytes, opened) > self.usual_s(group, raw_bytes)

    def late_s(self, group: str, raw_bytes: int, opened: float) -> float:
        """Return how long a segment opened at *opened* is wanted already; one that waits for a reader is wanted since there is one."""
        now, usual_s = time.monotonic(), self.usual_s(group, raw_bytes)
        if group in self._hurried or group in self._acted or self._quiet_s <= usual_s:
            return now - opened
        since = self._attended_since(group)
        wanted_s = usual_s if since is None else now - since + usual_s
        return min(now - opened, wanted_s)

    def _attended_since(self, group: str) -> float | None:
        """Return when those began to read *group* of whom there may be another question; ``None`` = there are none."""
        now = time.monotonic()
        known = (self._readers.get(name) for name in (_ALL, group))
        return min(
            (each[0] for each in known if each is not None and now - each[1] < _ATTENDED_S), default=None
        )
