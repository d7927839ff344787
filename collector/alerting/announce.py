"""
``breaker.opened`` and ``breaker.closed``: each breaker's own story, without rules. Pure.

A breaker is announced once when it opens and once when it has closed. Half-open trials in
between, failed or not, are not told: a receiver would get two webhooks per recovery time-out.
Unknown and absent breakers are not closed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from collector.alerting.evaluate import Reading, Subject, read_subjects
from collector.alerting.inputs import BreakerNow


@dataclass(frozen=True)
class Announcement:
    """A breaker *opened* or *closed*; *since* is when it opened, in both."""

    kind: Literal["opened", "closed"]
    reading: Reading
    since: datetime
    at: datetime


def announce(
    announced: Mapping[Subject, datetime], breakers: Sequence[BreakerNow], now: datetime
) -> Iterator[Announcement]:
    """
    Compare what was said with what is.

    Args:
        announced: Breakers said to be open, with the time they opened.
        breakers: Current state per breaker and instance.
        now: Aware.
    """
    for reading in read_subjects(breakers):
        since = announced.get(reading.subject)
        if reading.opened and since is None:
            yield Announcement("opened", reading, min(reading.opened.since, now), now)
        elif reading.standing == "closed" and since is not None:
            yield Announcement("closed", reading, since, now)
