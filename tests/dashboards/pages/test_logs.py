"""The Logs page: next steps of a row, paging, narrowing."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from dashboards.pages.facets import narrow
from tests.dashboards.document import read
from tests.dashboards.recorded_api import pages_over
from tests.dashboards.recorded_shop import TRACE


def test_a_row_leads_to_its_trace_its_surroundings_and_its_service() -> None:
    """Trace opens the span, around is the same service one minute before and after, service is its page."""
    row = read(pages_over("shop"), "/logs?query=charge").page.having(data_testid="log-row")[0]

    links = {a.text: a.attributes["href"] for a in row.tags("a")}
    assert links["trace"] == (
        f"/traces/{TRACE}?start=-1h&end=now&env=&span=00f067aa0ba902b9#span-00f067aa0ba902b9"
    )
    around = parse_qs(urlsplit(links["around"]).query)
    assert around["query"] == ['service:"payment"']
    assert (around["start"], around["end"]) == (["2026-11-22T03:09:50.000Z"], ["2026-11-22T03:11:50.000Z"])
    assert links["payment"].startswith("/services/payment?")


def test_the_record_one_came_from_is_marked() -> None:
    """Among the logs around it, the record itself is found at once."""
    page = read(pages_over("shop"), "/logs?mark=b1-3").page

    (marked,) = page.having(id="marked")
    assert "03:10:47.000" in marked.text


def test_older_pages_stay_in_the_range_they_began_in() -> None:
    """The next page is asked for by cursor and absolute times, so nothing shifts while reading."""
    app = pages_over("shop")
    (older,) = read(app, "/logs?query=charge").page.having(data_testid="older")
    asked = parse_qs(urlsplit(older.attributes["href"]).query)
    assert asked["cursor"] == ["next-1"]
    assert asked["start"] == ["2026-11-22T02:15:00.000Z"]

    second = read(app, older.attributes["href"]).page

    assert not second.having(data_testid="older")
    assert "← newest" in second.text
    assert "No older record in this time range" in second.text


def test_narrowing_keeps_what_or_means() -> None:
    """A term added to a OR b applies to both."""
    assert narrow("", 'service:"a"') == 'service:"a"'
    assert narrow("x", 'service:"a"') == 'x service:"a"'
    assert narrow("x OR y", 'service:"a"') == '(x OR y) AND service:"a"'


def test_attribute_values_are_verbatim() -> None:
    """Texts like 0 and false are shown as they are, not as nothing."""
    row = read(pages_over("shop"), "/logs").page.having(data_testid="log-row")[0]

    pairs = dict(zip([e.text for e in row.tags("dt")], [e.text for e in row.tags("dd")], strict=True))
    assert (pairs["zero"], pairs["flag"]) == ("0", "false")


def test_a_bar_of_the_histogram_zooms_in() -> None:
    """Each bar links to its own stretch of time with the same search."""
    (figure,) = read(pages_over("shop"), "/logs?query=charge").page.having(data_testid="histogram")

    link = figure.tags("a")[0].attributes["href"]
    assert "start=2026-11-22T02%3A15%3A00.000Z&end=2026-11-22T02%3A16%3A00.000Z" in link
    assert "query=charge" in link
