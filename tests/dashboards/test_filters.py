"""Numbers, times and states as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards import filters


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (filters.number(1412), "1,412"),
        (filters.number(12.345), "12.3"),
        (filters.number(0.01234), "0.0123"),
        (filters.number(None), "–"),
        (filters.percent(0.62), "62 %"),
        (filters.percent(0.0123), "1.2 %"),
        (filters.percent(0.0001), "<0.1 %"),
        (filters.percent(0), "0 %"),
        (filters.duration_ms(0.25), "250 µs"),
        (filters.duration_ms(91.4), "91.4 ms"),
        (filters.duration_ms(2105), "2.1 s"),
        (filters.duration_s(260), "4 min 20 s"),
        (filters.duration_s(86400), "1 d"),
        (filters.duration_s(18180), "5 h 3 min"),
        (filters.size_bytes(52_428_800), "50 MiB"),
        (filters.size_bytes(512), "512 B"),
        (filters.clock("2026-11-22T03:10:40.123456789Z"), "03:10:40.123"),
        (filters.clock("soon"), "–"),
        (filters.ago("2026-11-22T03:10:40Z", datetime(2026, 11, 22, 3, 15, tzinfo=UTC)), "4 min 20 s"),
        (filters.state_word("half_open"), "half-open"),
        (filters.state_word("melted"), "unknown"),
        (filters.shown(value=False), "false"),
        (filters.shown(0), "0"),
        (filters.shown(None), "–"),
        (filters.plural(1, "span"), "1 span"),
        (filters.plural(2, "span"), "2 spans"),
    ],
)
def test_values_read_well(written: str, expected: str) -> None:
    """Units, few digits; what is unknown is a dash and never 0."""
    assert written == expected


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "//evil.example", "/\\evil.example", "https://evil.example", None, 7, "/a\nb"],
)
def test_links_that_leave_the_site_are_dropped(link: object) -> None:
    """Evidence links come from the API's data; only paths of this site become links."""
    assert filters.site_path(link) == ""


def test_links_of_the_site_are_kept() -> None:
    """A path with a query is a link."""
    assert filters.site_path("/breakers/checkout/payment?env=demo") == "/breakers/checkout/payment?env=demo"


ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.none()))


@given(ANYTHING)
def test_no_value_breaks_a_filter(value: Any) -> None:
    """Whatever the API sends in a field, a page shows something."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    for name, write in filters.all_filters().items():
        if name != "plural":
            assert isinstance(write(value, now) if name == "ago" else write(value), str)
