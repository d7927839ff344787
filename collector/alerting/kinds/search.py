"""
``search:``, with a threshold and a window.

::

    search: 'service:checkout severity:>=error'
    above: 10            # or below: 1
    within: 5m           # default 5m
    by: [service]        # an alert for each of their values; default none

Fewer records than before are an answer only while records come at all: an alert that has a service is over when that service was heard of in the
window, another when anything was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from collector.alerting.expression import LABEL_NAME, parse_duration_s
from collector.alerting.kinds.asking import HEARD, RECORDS, Missing, Sample, Sources, nanoseconds
from collector.alerting.kinds.written import Written
from collector.errors import QueryError
from collector.query.search import LOGS, compile_search
from collector.query.window import SECOND_NS, Window
from collector.read.log_thresholds import counted
from collector.read.logs import Slice
from collector.read.own import without_own
from collector.read.services import heard

_WITHIN_S, _LONGEST_S = 300.0, 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Search:
    """More than *above* or fewer than *below* records match within *within_s*."""

    text: str
    above: float | None
    below: float | None
    within_s: float
    by: tuple[str, ...]

    reads: ClassVar = RECORDS

    def find(self, sources: Sources, at: datetime) -> list[Sample]:
        """Give the groups beyond the threshold; the value is the number of records. Too few are said as of when the first came that is not loaded yet."""
        reader, now = sources.reader(), nanoseconds(at)
        if self.below is not None:
            now = min(now, reader.unloaded_ns(RECORDS) or now)
        search = without_own(compile_search(self.text, LOGS, now), self.text)
        groups = counted(reader, Slice(self._window(now), search), self.by)
        return [
            Sample(
                {_label(field): value for field, value in zip(self.by, values, strict=True) if value},
                float(count),
            )
            for values, count in groups
            if self._beyond(count)
        ]

    def over(
        self,
        sources: Sources,
        at: datetime,
        missing: Sequence[Missing],
        fingerprint: Callable[[Sample], str],
    ) -> frozenset[str]:
        """Give those whose service sent something in the window."""
        del fingerprint
        sources.attend(HEARD)
        services = {service for service, _ in heard(sources.reader(), self._window(nanoseconds(at)), "")}
        return frozenset(
            one.fingerprint
            for one in missing
            if (one.labels["service"] in services if "service" in one.labels else services)
        )

    def _window(self, now: int) -> Window:
        return Window(now - int(self.within_s * SECOND_NS), now, now)

    def _beyond(self, count: int) -> bool:
        return count > self.above if self.above is not None else self.below is not None and count < self.below


def read_search(fields: Written) -> Search:
    """
    Read a search with its threshold.

    Raises:
        ValueError: The search does not parse, or a threshold or window makes no sense.
    """
    text = str(fields.search)
    try:
        compile_search(text, LOGS, 0)
    except QueryError as error:
        raise ValueError(error.message) from error
    if (fields.above is None) == (fields.below is None):
        raise ValueError("give either 'above' or 'below', a number of records")
    within_s = parse_duration_s(fields.within) if fields.within else _WITHIN_S
    if not 1 <= within_s <= _LONGEST_S:
        raise ValueError(f"within: {fields.within!r} is not between 1s and 7d")
    return Search(text, fields.above, fields.below, within_s, tuple(fields.by or ()))


def _label(field: str) -> str:
    """Give the label that a field becomes."""
    name: Any = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in field)
    return name if LABEL_NAME.fullmatch(name) else f"_{name}"
