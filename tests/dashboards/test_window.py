"""Start, end and env of a page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dashboards.timestamps import moment, nanoseconds, rfc3339
from dashboards.window import BadParameterError, read_window

NOW = datetime(2026, 11, 22, 3, 15, tzinfo=UTC)


def test_the_default_is_the_last_hour() -> None:
    """No parameters: one hour up to now, every environment, live."""
    window = read_window({}, NOW)

    assert (window.start, window.end, window.env) == (NOW - timedelta(hours=1), NOW, "")
    assert window.live


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-15m", NOW - timedelta(minutes=15)),
        ("-2d", NOW - timedelta(days=2)),
        ("2026-11-22T02:00:00Z", datetime(2026, 11, 22, 2, tzinfo=UTC)),
        ("2026-11-22T03:00:00+01:00", datetime(2026, 11, 22, 2, tzinfo=UTC)),
        ("2026-11-22 02:00", datetime(2026, 11, 22, 2, tzinfo=UTC)),
        ("1795312800", datetime(2026, 11, 22, 2, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_people_write_them(text: str, expected: datetime) -> None:
    """Relative, RFC 3339 with any zone (UTC without one), and epoch seconds."""
    assert read_window({"start": text}, NOW).start == expected


@pytest.mark.parametrize(
    "text", ["tomorrow", "-1", "1h", "2026-02-30T00:00:00Z", "99999-01-01T00:00:00Z", "<script>", "-1x"]
)
def test_a_time_that_cannot_be_read_is_named(text: str) -> None:
    """The parameter and its value are in the error."""
    with pytest.raises(BadParameterError) as caught:
        read_window({"start": text}, NOW)

    assert repr(text) in str(caught.value)


def test_an_end_before_the_start_is_refused() -> None:
    """A range must have a length."""
    with pytest.raises(BadParameterError, match="later than the start"):
        read_window({"start": "-1h", "end": "-1h"}, NOW)


def test_links_keep_relative_times_and_quote_names() -> None:
    """-1h … now stays so in a link; a name with a slash or a question mark stays one part."""
    window = read_window({"env": "demo"}, NOW)

    url = window.url("services", "a/b?c", query='service:"a b"', nothing="")

    assert url == "/services/a%2Fb%3Fc?start=-1h&end=now&env=demo&query=service%3A%22a%20b%22"


def test_a_fixed_window_is_the_same_range_in_absolute_times() -> None:
    """What a colleague sees later is what was seen now."""
    fixed = read_window({}, NOW).fixed()

    assert (fixed.start_text, fixed.end_text, fixed.live) == (
        "2026-11-22T02:15:00.000Z",
        "2026-11-22T03:15:00.000Z",
        False,
    )


def test_nanoseconds_are_exact() -> None:
    """Nine digits survive as an integer; datetime and text cut, never round up."""
    ns = nanoseconds("2026-11-22T03:15:00.123456789Z")

    assert ns % 1_000_000_000 == 123_456_789
    assert rfc3339(moment(ns)) == "2026-11-22T03:15:00.123Z"
