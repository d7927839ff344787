"""
When a maintenance window is open: weekly by wall clock, or by an RRULE. Pure.

::

    {"weekdays": ["sat", "sun"], "start": "22:00", "end": "04:00", "timezone": "Europe/Berlin"}
    {"rrule": "FREQ=MONTHLY;BYDAY=1SU", "first": "2026-11-01T02:00", "duration": "2h", "timezone": "Europe/Berlin"}

Times are wall-clock times of the IANA *timezone* (default UTC). The weekly form ends at its wall-clock time: a night with a
change of clocks is an hour shorter or longer. A start that the clocks skip (02:30 in spring) is taken as the time that many minutes after
the change. An end not after the start is on the next day; no weekdays = every day; the weekday is the one it starts on.
Source: RFC 5545 §3.3.10 (through python-dateutil); PEP 495 for skipped and repeated times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from collector.alerting.expression import parse_duration_s

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"(?P<hour>[01]\d|2[0-4]):(?P<minute>[0-5]\d)")
_DAY = timedelta(days=1)
# What makes several occurrences of a day is left out, and COUNT (say UNTIL): a rule is walked for each look.
_RULE_PARTS = frozenset(
    (
        "FREQ",
        "INTERVAL",
        "UNTIL",
        "BYDAY",
        "BYMONTH",
        "BYMONTHDAY",
        "BYYEARDAY",
        "BYWEEKNO",
        "BYSETPOS",
        "WKST",
    )
)
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_RULE_CHARS = 500
# A rule by months or years is walked from its first occurrence on: this bounds the walk.
_FIRST_YEARS = range(2000, 2101)
_INTERVAL_MOST = 1000
LONGEST = timedelta(days=31)
# Occurrences looked for around a time: a yearly one is found a year ahead.
_AHEAD = timedelta(days=400)


@dataclass(frozen=True)
class Span:
    """One time it is open, ``start <= t < end``, aware."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Schedule:
    """
    When it is open. Either *rrule* with *first* and *duration_s*, or *start* and *end* on *weekdays*.

    Raises:
        ValueError: A field is wrong; the sentence quotes it.
    """

    timezone: str = "UTC"
    weekdays: tuple[str, ...] = ()
    start: str = ""
    end: str = ""
    rrule: str = ""
    first: str = ""
    duration_s: float = 0.0

    def __post_init__(self) -> None:
        _zone(self.timezone)
        if self.rrule:
            _check_rule(self)
        else:
            _check_weekly(self)

    def span(self, at: datetime) -> Span | None:
        """Give the span that *at* lies in."""
        open_now = (span for span in self._around(at) if span.start <= at < span.end)
        return max(open_now, key=lambda span: span.end, default=None)

    def next(self, at: datetime) -> Span | None:
        """Give the first span that begins after *at*, None if there is none within 400 days."""
        return min(
            (span for span in self._around(at) if span.start > at), key=lambda span: span.start, default=None
        )

    def row(self) -> dict[str, object]:
        """Give the fields that say something, as the API shows them."""
        if self.rrule:
            return {
                "rrule": self.rrule,
                "first": self.first,
                "duration_s": self.duration_s,
                "timezone": self.timezone,
            }
        return {
            "weekdays": list(self.weekdays),
            "start": self.start,
            "end": self.end,
            "timezone": self.timezone,
        }

    def _around(self, at: datetime) -> Iterator[Span]:
        today = at.astimezone(_zone(self.timezone)).date()
        if self.rrule:
            yield from _rule_spans(self, today.replace(day=1))
        else:
            yield from (
                _weekly_span(self, today + _DAY * days)
                for days in range(-2, 9)
                if _is_on(self, today + _DAY * days)
            )


def parse_schedule(fields: Mapping[str, object]) -> Schedule:
    """
    Read a schedule as it stands in TOML or JSON.

    Raises:
        ValueError: A field is unknown or wrong; the sentence quotes it.
    """
    known = ("timezone", "weekdays", "start", "end", "rrule", "first", "duration", "duration_s")
    for name in fields:
        if name not in known:
            raise ValueError(f"a schedule has no {name!r}; known: {', '.join(known)}")
    weekdays = fields.get("weekdays") or ()
    if isinstance(weekdays, str) or not isinstance(weekdays, list | tuple):
        raise ValueError(  # noqa: TRY004 - one kind of error for whatever is wrong with a schedule
            f"weekdays is a list of {', '.join(WEEKDAYS)}, got {weekdays!r}"
        )
    return Schedule(
        timezone=str(fields.get("timezone") or "UTC"),
        weekdays=tuple(str(day).strip().lower()[:3] for day in weekdays),
        start=str(fields.get("start") or ""),
        end=str(fields.get("end") or ""),
        rrule=str(fields.get("rrule") or "").strip().removeprefix("RRULE:"),
        first=str(fields.get("first") or ""),
        duration_s=_seconds(fields.get("duration", fields.get("duration_s", 0))),
    )


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return parse_duration_s(str(value))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"timezone {name!r} is not one of the IANA database, like Europe/Berlin or UTC"
        ) from error


def _check_weekly(schedule: Schedule) -> None:
    for day in schedule.weekdays:
        if day not in WEEKDAYS:
            raise ValueError(f"weekday {day!r} is none of {', '.join(WEEKDAYS)}")
    for name, text in (("start", schedule.start), ("end", schedule.end)):
        match = _CLOCK.fullmatch(text)
        if match is None or (match["hour"] == "24" and match["minute"] != "00"):
            raise ValueError(f"{name} {text!r} is not a time of day: write 22:00 (24:00 is the day's end)")
    if schedule.start == "24:00":
        raise ValueError("start '24:00' is the next day's 00:00: write it so")
    if schedule.first or schedule.duration_s:
        raise ValueError("first and duration belong to an rrule; without one give start and end")


def _check_rule(schedule: Schedule) -> None:
    if schedule.weekdays or schedule.start or schedule.end:
        raise ValueError("an rrule goes with first and duration, not with weekdays, start and end")
    if len(schedule.rrule) > _RULE_CHARS:
        raise ValueError(f"the rrule has {len(schedule.rrule)} characters, at most {_RULE_CHARS}")
    _check_parts(schedule)
    if not 0 < schedule.duration_s <= LONGEST.total_seconds():
        raise ValueError(f"duration {schedule.duration_s:g} s: give one, at most 31 days")
    first = _first(schedule)
    if first.year not in _FIRST_YEARS:
        raise ValueError(f"first {schedule.first!r}: its year is 2000 to 2100")
    try:
        found = rrulestr(schedule.rrule.upper(), dtstart=first).after(first, inc=True)
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"rrule {schedule.rrule!r}: {error}") from error
    if found is None:
        raise ValueError(f"rrule {schedule.rrule!r} never happens after {schedule.first}")


def _check_parts(schedule: Schedule) -> None:
    parts = _parts(schedule)
    for name in parts:
        if name not in _RULE_PARTS:
            raise ValueError(f"rrule part {name!r} is not taken; known: {', '.join(sorted(_RULE_PARTS))}")
    if parts.get("FREQ") not in _FREQUENCIES:
        raise ValueError(f"rrule {schedule.rrule!r}: FREQ must be one of {', '.join(_FREQUENCIES)}")
    if (
        not parts.get("INTERVAL", "1").isdecimal()
        or not 1 <= int(parts.get("INTERVAL", "1")) <= _INTERVAL_MOST
    ):
        raise ValueError(f"rrule {schedule.rrule!r}: INTERVAL is 1 to {_INTERVAL_MOST}")


def _parts(schedule: Schedule) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in schedule.rrule.upper().split(";") if part)


def _first_near(schedule: Schedule, begin: datetime) -> datetime:
    """Give an occurrence's place not long before *begin* to walk from: whole steps of days or weeks after the first."""
    first, parts = _first(schedule), _parts(schedule)
    days = {"DAILY": 1, "WEEKLY": 7}.get(parts["FREQ"], 0) * int(parts.get("INTERVAL", "1"))
    if not days or first >= begin:
        return first
    return first + timedelta(days=days) * ((begin - first) // timedelta(days=days))


def _first(schedule: Schedule) -> datetime:
    try:
        first = datetime.fromisoformat(schedule.first)
    except ValueError as error:
        raise ValueError(f"first {schedule.first!r} is not a local time like 2026-11-01T02:00") from error
    if first.tzinfo is not None:
        raise ValueError(
            f"first {schedule.first!r} is a wall-clock time: leave its offset out, name the timezone"
        )
    return first


def _is_on(schedule: Schedule, day: date) -> bool:
    return not schedule.weekdays or WEEKDAYS[day.weekday()] in schedule.weekdays


def _weekly_span(schedule: Schedule, day: date) -> Span:
    after = schedule.end <= schedule.start
    return Span(
        _wall(schedule, day, schedule.start), _wall(schedule, day + _DAY if after else day, schedule.end)
    )


def _wall(schedule: Schedule, day: date, clock: str) -> datetime:
    hour, minute = int(clock[:2]), int(clock[3:])
    if hour == 24:
        day, hour = day + _DAY, 0
    return datetime.combine(day, time(hour, minute), _zone(schedule.timezone)).astimezone(UTC)


@lru_cache(maxsize=512)
def _rule_spans(schedule: Schedule, month: date) -> tuple[Span, ...]:
    """Give the spans that may matter in *month*; remembered, because walking a rule is slow."""
    begin = datetime.combine(month, time()) - LONGEST - _DAY
    rule = rrulestr(schedule.rrule.upper(), dtstart=_first_near(schedule, begin))
    until = begin + _AHEAD + LONGEST
    own = getattr(rule, "_until", None)
    bounded = rule.replace(until=min(until, own) if own else until)
    length, zone = timedelta(seconds=schedule.duration_s), _zone(schedule.timezone)
    starts = (found.replace(tzinfo=zone).astimezone(UTC) for found in bounded.between(begin, until, inc=True))
    return tuple(Span(start, start + length) for start in starts)
