"""Windows are open when the wall clock of their zone says so, whatever the clocks are doing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.alerting.silences.schedule import WEEKDAYS, Schedule, parse_schedule

NIGHT = {"weekdays": ["sat"], "start": "22:00", "end": "06:00", "timezone": "Europe/Berlin"}


def utc(text):
    """Give the time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-03-21T21:00", "2026-03-22T05:00", 8),
        ("2026-03-28T21:00", "2026-03-29T04:00", 7),
        ("2026-10-24T20:00", "2026-10-25T05:00", 9),
    ],
)
def test_a_night_ends_by_the_wall_clock_when_the_clocks_change(start, end, hours):
    """22:00 to 06:00 in Berlin is 8 hours, 7 in the night of spring's change and 9 in autumn's."""
    span = parse_schedule(NIGHT).span(utc(start) + timedelta(hours=1))

    assert (span.start, span.end) == (utc(start), utc(end))
    assert span.end - span.start == timedelta(hours=hours)


def test_a_rule_keeps_its_wall_clock_time_over_the_year():
    """02:00 in Berlin on first Sundays is 01:00 UTC in winter and 00:00 in summer; its length is the clock's own."""
    rule = parse_schedule(
        {
            "rrule": "RRULE:FREQ=MONTHLY;BYDAY=1SU",
            "first": "2026-11-01T02:00",
            "duration": "2h",
            "timezone": "Europe/Berlin",
        }
    )

    assert rule.span(utc("2026-12-06T02:59")).start == utc("2026-12-06T01:00")
    assert rule.span(utc("2026-12-06T03:00")) is None
    assert rule.next(utc("2027-06-30T00:00")).start == utc("2027-07-04T00:00")
    assert rule.next(utc("2020-01-01T00:00")) is None


def test_a_start_that_the_clocks_skip_comes_as_many_minutes_after_the_change():
    """02:30 does not exist in that night; the window opens at 03:30 summer time."""
    span = parse_schedule({"start": "02:30", "end": "05:00", "timezone": "Europe/Berlin"}).span(
        utc("2026-03-29T02:00")
    )

    assert span.start == utc("2026-03-29T01:30")
    assert span.end == utc("2026-03-29T03:00")


@pytest.mark.parametrize(
    "rule", ["FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH"]
)
def test_a_rule_walked_from_near_is_the_rule_walked_from_its_first(rule):
    """Years after its first occurrence the same days are open."""
    from dateutil.rrule import rrulestr

    first = datetime(2011, 1, 3, 9, 30)  # noqa: DTZ001 - a wall-clock time
    schedule = Schedule(rrule=rule, first=first.isoformat(), duration_s=60)
    walked = rrulestr(rule, dtstart=first).between(datetime(2026, 1, 1), datetime(2026, 3, 1))  # noqa: DTZ001

    at, found = utc("2026-01-01T00:00"), []
    while (span := schedule.next(at)) and span.start < utc("2026-03-01T00:00"):
        found.append(span.start.replace(tzinfo=None))
        at = span.start
    assert found == walked


@settings(max_examples=60)
@given(
    st.sets(st.sampled_from(WEEKDAYS)),
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001
)
def test_in_utc_a_window_is_what_counting_minutes_says(days, start, end, at):
    """A slow reference without zones: a minute is inside if its window, of today or yesterday, holds it."""
    schedule = Schedule(
        weekdays=tuple(sorted(days)),
        start=f"{start // 60:02}:{start % 60:02}",
        end=f"{end // 60:02}:{end % 60:02}",
    )

    def holds(back):
        on = not days or WEEKDAYS[(at - timedelta(days=back)).weekday()] in days
        minute = at.hour * 60 + at.minute + 1440 * back
        return on and start <= minute < (end if end > start else end + 1440)

    assert (schedule.span(at.replace(tzinfo=UTC)) is not None) == (holds(0) or holds(1))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"start": "25:00", "end": "01:00"}, "start '25:00' is not a time of day"),
        ({"start": "24:00", "end": "01:00"}, "next day's 00:00"),
        ({"start": "1:00"}, "start '1:00'"),
        ({}, "start ''"),
        ({"weekdays": "sat", "start": "01:00", "end": "02:00"}, "weekdays is a list"),
        ({"weekdays": ["someday"], "start": "01:00", "end": "02:00"}, "weekday 'som' is none of"),
        ({"timezone": "../etc/passwd", "start": "01:00", "end": "02:00"}, "timezone '../etc/passwd' is not"),
        ({"timezone": "CET/Nowhere", "start": "01:00", "end": "02:00"}, "timezone 'CET/Nowhere'"),
        ({"hours": 3}, "no 'hours'; known:"),
        ({"rrule": "FREQ=SECONDLY", "first": "2026-01-01T00:00", "duration": "1h"}, "FREQ must be one of"),
        ({"rrule": "FREQ=DAILY;BYMINUTE=1", "first": "2026-01-01T00:00", "duration": "1h"}, "'BYMINUTE'"),
        ({"rrule": "FREQ=DAILY;INTERVAL=0", "first": "2026-01-01T00:00", "duration": "1h"}, "INTERVAL is 1"),
        (
            {"rrule": "FREQ=DAILY;BYDAY=XX", "first": "2026-01-01T00:00", "duration": "1h"},
            "rrule 'FREQ=DAILY",
        ),
        ({"rrule": "FREQ=DAILY", "first": "2026-01-01T00:00"}, "duration 0 s"),
        ({"rrule": "FREQ=DAILY", "first": "2026-01-01T00:00", "duration": "32d"}, "at most 31 days"),
        ({"rrule": "FREQ=DAILY", "first": "soon", "duration": "1h"}, "first 'soon'"),
        ({"rrule": "FREQ=DAILY", "first": "2026-01-01T00:00Z", "duration": "1h"}, "leave its offset out"),
        ({"rrule": "FREQ=DAILY", "first": "1026-01-01T00:00", "duration": "1h"}, "its year is 2000"),
        (
            {"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "first": "2026-01-01T00:00", "duration": "1h"},
            "never happens",
        ),
        (
            {"rrule": "FREQ=DAILY;" + "BYDAY=MO;" * 100, "first": "2026-01-01T00:00", "duration": "1h"},
            "at most 500",
        ),
        (
            {"rrule": "FREQ=DAILY", "start": "01:00", "first": "2026-01-01T00:00", "duration": "1h"},
            "not with weekdays",
        ),
    ],
)
def test_what_is_wrong_is_quoted(fields, said):
    """The sentence names the field and what stands in it."""
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_schedule(fields)
