"""Charts as values: gaps, units, the table behind, marks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboards.api import Section
from dashboards.charts import Chart, Line, aligned, chart_of_rows, spark_points
from dashboards.render import Frame, Renderer
from dashboards.units import at_bucket, in_unit
from dashboards.window import Window, read_window
from tests.dashboards.document import get, parse
from tests.dashboards.recorded_api import HOSTILE, pages_over

NOW = datetime(2026, 11, 22, 3, 15, tzinfo=UTC)
WINDOW = read_window({}, NOW)


def rendered(chart: Chart) -> str:
    """Render one chart as a page does."""
    frame = Frame("/x", {}, WINDOW, NOW, Section(), refused=False, nav="")
    template = Renderer()._environment.from_string(
        '{% import "_chart.html" as c %}{{ c.chart(chart, frame) }}'
    )
    return template.render(chart=chart, frame=frame)


def row(minute: int, **fields: Any) -> dict[str, Any]:
    """Give one row of a series."""
    return {"at": f"2026-11-22T03:{minute:02d}:00.000000000Z", **fields}


def test_what_is_missing_is_a_gap() -> None:
    """A bucket the API leaves out, a null and a text are None, never 0; a bad time is left out."""
    rows = [row(0, rate=1.0), row(1, rate=None), row(2, rate="x"), row(6, rate=2), {"at": "?", "rate": 5}]

    chart = chart_of_rows("rate", "Requests", "per_second", rows, [("rate", "requests", "")], WINDOW)

    assert chart.lines[0].values == (1.0, None, None, None, 2.0)
    assert [each.minute for each in chart.moments] == [0, 1, 2, 3, 6]
    assert chart.lines[0].missing == 3
    assert chart.data["x"][-1] == chart.times[-1]


def test_the_table_behind_a_chart_has_every_number() -> None:
    """Each point is a row, in its unit, with a link to what explains it; gaps read –."""
    rows = [row(0, p95_ms=1500.0), row(1, p95_ms=None)]
    chart = chart_of_rows(
        "latency",
        "Duration",
        "ms",
        rows,
        [("p95_ms", "p95", "weak")],
        WINDOW,
        links=(("logs", "/logs?query=a"),),
    )

    page = parse(rendered(chart))

    cells = [each.text for each in page.tags("td")]
    assert cells == ["03:00:00", "1.5 s", "logs", "03:01:00", "–", "logs"]
    assert "start=2026-11-22T03%3A00" in page.tags("a")[0].attributes["href"]
    (data,) = page.tags("script")
    assert json.loads("".join(data.texts))["series"][0]["values"] == [1500.0, None]


def test_fifty_series_have_a_summary_behind_them() -> None:
    """Too many numbers to read become last, least, mean, most and what is missing, per series."""
    times = tuple(float(1_700_000_000 + 60 * i) for i in range(1000))
    lines = tuple(Line(f"s{i}", (None, *(float(i) for _ in range(999)))) for i in range(50))
    chart = Chart("many", "Many", "count", times, lines, times[0], times[-1])

    html = rendered(chart)

    assert len(parse(html).tags("tr")) == 51
    assert "Summary of 50 series" in html
    assert len(html) < 600_000


def test_labels_cannot_leave_the_data() -> None:
    """Markup in a series' name stays text in the JSON and in the table."""
    chart = Chart("x", HOSTILE, "", (1.0,), (Line("</script>" + HOSTILE, (1.0,)),), 0.0, 2.0)

    page = parse(rendered(chart))

    assert not page.tags("img")
    (data,) = page.tags("script")
    assert json.loads("".join(data.texts))["series"][0]["label"] == "</script>" + HOSTILE


def test_a_chart_without_a_number_says_so() -> None:
    """No empty axes: a sentence."""
    assert "No number in this time range" in rendered(Chart("x", "X", "", (), (), 0.0, 1.0))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.125, "ratio", "12 %"),
        (1500.0, "ms", "1.5 s"),
        (2048.0, "bytes", "2 KiB"),
        (2048.0, "bytes_per_second", "2 KiB/s"),
        (3.0, "widgets", "3 widgets"),
        (None, "widgets", "–"),
        (None, "bytes_per_second", "–"),
    ],
)
def test_numbers_are_written_in_their_unit(value: float | None, unit: str, text: str) -> None:
    """A ratio is a percentage, a duration and a size choose their unit, what is unknown stays unknown."""
    assert in_unit(value, unit) == text


def test_series_of_different_times_share_one_axis() -> None:
    """Prometheus leaves points out: they become gaps where others have a point."""
    times, values = aligned([[(0.0, 1.0), (60.0, 2.0)], [(60.0, 5.0), (120.0, float("nan"))]])

    assert times == [0.0, 60.0, 120.0]
    assert values == [[1.0, 2.0, None], [None, 5.0, None]]


def test_sparklines_break_at_gaps() -> None:
    """A gap begins another line, and a lonely point is still seen."""
    assert len(spark_points([1.0, 2.0, None, 1.0])) == 2
    assert spark_points([None]) == []
    assert " " in spark_points([None, 1.0, None])[0]


def test_a_bucket_is_at_least_a_minute() -> None:
    """The evidence of a point of one second would be empty for want of clock agreement."""
    assert at_bucket("/logs?query=a%20b&start=-1h", NOW, 1.0) == (
        "/logs?query=a+b&start=2026-11-22T03%3A15%3A00.000Z&end=2026-11-22T03%3A16%3A00.000Z"
    )


def test_marks_are_what_may_explain_a_bend() -> None:
    """Second and later versions, openings and firing alerts of the range; one service's only, if asked so."""
    url = "/marks?start=-1h&end=now&env=demo"

    everything = get(pages_over("shop"), url).json()["marks"]
    catalog = get(pages_over("shop"), url + "&service=catalog").json()["marks"]

    assert {each["kind"] for each in everything} == {"deploy", "breaker", "incident"}
    assert [each["at"] for each in everything] == sorted(each["at"] for each in everything)
    (deploy,) = [each for each in everything if each["kind"] == "deploy"]
    assert deploy["label"] == "payment 1.4.2 deployed: regressed"
    assert "env=demo" in deploy["url"]
    assert [each for each in catalog if each["services"] and "catalog" not in each["services"]] == []
    assert get(pages_over("down"), url).json() == {"marks": []}
    assert get(pages_over("shop"), "/marks?start=tomorrow").status_code == 400


def test_environments_are_those_heard_of() -> None:
    """The box that chooses one is helped by the API's own names."""
    assert get(pages_over("shop"), "/environments").json() == {"environments": ["demo"]}
    assert get(pages_over("down"), "/environments").json() == {"environments": []}


def test_a_part_comes_alone_or_framed() -> None:
    """Htmx gets the part, a person who opens its address gets it in a page."""
    alone = get(pages_over("shop"), "/find?part=candidates", **{"hx-request": "true"}).text
    framed = get(pages_over("shop"), "/find?part=candidates").text

    assert "<html" not in alone
    assert "checkout › payment" in alone
    assert "<html" in framed
    assert "The whole page" in framed


def test_ranges_beside_the_shown_one() -> None:
    """Earlier and later by half, and twice as long; a range that ends now stays relative when it grows."""
    live = Frame("/x", {}, WINDOW, NOW, Section(), refused=False, nav="").stepped_ranges
    past = Window("a", "b", "", NOW.replace(hour=1), NOW.replace(hour=2))
    fixed = Frame("/x", {}, past, NOW, Section(), refused=False, nav="").stepped_ranges

    assert [words for _, _, words in live] == ["earlier by half", "zoom out"]
    assert "start=-7200s&end=now" in live[1][0]
    assert [words for _, _, words in fixed] == ["earlier by half", "later by half", "zoom out"]
    assert "start=2026-11-22T01%3A45" in fixed[1][0]
    assert "end=2026-11-22T02%3A45" in fixed[1][0]
