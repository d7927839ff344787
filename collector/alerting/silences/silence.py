"""One silence: whom it silences, when, who says so and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from collector.alerting.matching import MATCHERS_MOST, Matchers, all_match
from collector.alerting.silences.schedule import Schedule

Standing = Literal["pending", "active", "expired"]
TEXT_CHARS = 2000


@dataclass(frozen=True)
class Silence:
    """
    A silence, or with a *schedule* a maintenance window that comes back.

    Attributes:
        matchers: All must meet an alert's labels; at least one does not meet the empty text.
        ends_at: None only with a schedule: until somebody ends it.
    """

    id: str
    matchers: Matchers
    starts_at: datetime
    ends_at: datetime | None
    created_by: str
    comment: str
    created_at: datetime
    updated_at: datetime
    schedule: Schedule | None = None

    def standing(self, at: datetime) -> Standing:
        """Say whether it silences at *at*, will, or never again. A window between two of its spans is pending."""
        if self.ends_at is not None and at >= self.ends_at:
            return "expired"
        if at < self.starts_at or (self.schedule is not None and self.schedule.span(at) is None):
            return "pending"
        return "active"

    def quiet_until(self, at: datetime) -> datetime | None:
        """Give when it ends to silence, if it does at *at*."""
        if self.standing(at) != "active":
            return None
        span = self.schedule.span(at) if self.schedule else None
        ends = [end for end in (self.ends_at, span.end if span else None) if end is not None]
        return min(ends)

    def silences(self, labels: Mapping[str, str]) -> bool:
        """Whether it is about an alert with *labels*."""
        return all_match(self.matchers, labels)


def check(silence: Silence, now: datetime) -> None:
    """
    Check what somebody asks for.

    Raises:
        ValueError: ``field: sentence``; who and why are missing, it matches everything, or its times make no sense.
    """
    for name, text in (("created_by", silence.created_by), ("comment", silence.comment)):
        if not text.strip():
            raise ValueError(
                f"{name}: say {'who you are' if name == 'created_by' else 'why'}; it is shown with each alert"
            )
        if len(text) > TEXT_CHARS:
            raise ValueError(f"{name}: {len(text)} characters, at most {TEXT_CHARS}")
    if not silence.matchers or len(silence.matchers) > MATCHERS_MOST:
        raise ValueError(f"matchers: give 1 to {MATCHERS_MOST}, got {len(silence.matchers)}")
    if all_match(silence.matchers, {}):
        raise ValueError(
            'matchers: at least one must not match the empty text; this silences everything (write alertname=~".+")'
        )
    if silence.ends_at is None and silence.schedule is None:
        raise ValueError("ends_at: a silence ends; give ends_at or duration, or a schedule")
    if silence.ends_at is not None and silence.ends_at <= silence.starts_at:
        raise ValueError(
            f"ends_at: {silence.ends_at.isoformat()} is not after starts_at {silence.starts_at.isoformat()}"
        )
    if silence.ends_at is not None and silence.ends_at <= now:
        raise ValueError(f"ends_at: {silence.ends_at.isoformat()} is in the past")


def silencing(silences: Iterable[Silence], labels: Mapping[str, str]) -> list[str]:
    """Give the ids of those of *silences* (active ones) that are about an alert with *labels*."""
    return [silence.id for silence in silences if silence.silences(labels)]


def active(silences: Sequence[Silence], at: datetime) -> list[Silence]:
    """Give those that silence at *at*."""
    return [silence for silence in silences if silence.standing(at) == "active"]
