"""Texts, times and trees of the terminal, without a collector."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.terminal import metrics, plain
from collector.terminal.tail import events
from collector.terminal.waiting import sentence
from collector.terminal.waterfall import placed

_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")  # fmt: skip


@given(st.text(st.characters() | st.characters(categories=["Cc", "Cf", "Cs"])))
def test_no_text_has_anything_a_terminal_obeys(text: str) -> None:
    """Whatever it is; what is harmless stays as it is, and JSON says the same as before."""
    line = plain.json_line({"text": text})

    assert not _OBEYED.search(plain.safe(text))
    assert not re.search(r"[\n\t]", plain.safe_line(text))
    assert not _OBEYED.search(line)
    assert "\n" not in line
    assert json.loads(line) == {"text": text}


def test_what_people_write_stays() -> None:
    """Letters of any script, emoji with their joiners, box drawing."""
    text = "näme 漢字 עברית 👩\u200d💻 ─█ a\u0301"

    assert plain.safe(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-27T14:03:05.123456789Z", "2026-11-27 14:03:05.123"),
        ("2026-11-27T15:03:05+01:00", "2026-11-27 14:03:05.000"),
        ("yesterday\x1b[31m", "yesterday\\x1b[31m"),
        (None, "None"),
        ("2026-13-45T00:00:00Z", "2026-13-45T00:00:00Z"),
    ],
)
def test_times_are_shown_in_utc_or_as_they_are(text: object, shown: str) -> None:
    """What is no time is no reason to fail."""
    assert plain.clock(text) == shown


@pytest.mark.parametrize(
    ("ns", "shown"), [(0, "0 ns"), (999, "999 ns"), (1500, "1.5 µs"), (12_345_678, "12.3 ms"), (2_500_000_000_000, "2,500 s"), (-3_000_000, "-3 ms")]
)  # fmt: skip
def test_durations(ns: int, shown: str) -> None:
    """In the unit people would say."""
    assert plain.duration(ns) == shown


def test_relative_times_for_prometheus() -> None:
    """Its API knows none; what is no relative time goes as it is."""
    now = datetime(2026, 11, 27, 14, tzinfo=UTC)

    assert plain.moment_s("now", now) == "1795788000.000"
    assert plain.moment_s("-1h", now) == plain.moment_s("now-60m", now) == "1795784400.000"
    assert plain.moment_s("2026-11-27T00:00:00Z", now) == "2026-11-27T00:00:00Z"


def test_a_caret_stands_below_wide_characters_and_in_the_right_line() -> None:
    """Terminal columns, not characters; a position beyond the end is the end."""
    assert plain.caret("漢字 (", 3) == "  漢字 (\n       ^"
    assert plain.caret("a\nbc )\nd", 5) == "  bc )\n     ^"
    assert plain.caret("ab", 99) == "  ab\n    ^"
    assert plain.caret("\x1b[31m(", 5) == "  \\x1b[31m(\n          ^"


@given(st.lists(st.floats()))
def test_a_sparkline_has_a_bar_per_value(values: list[float]) -> None:
    """Or is empty where no value is a number."""
    assert len(plain.sparkline(values)) in {0, len(values)}


def test_events_are_read_as_the_standard_says() -> None:
    """Comments, several data lines, ids that stay; what is cut off at the end is none."""
    lines = [
        ": heartbeat",
        "",
        "id: 7",
        "data: {",
        "data: }",
        "",
        "event: skipped",
        "data:x",
        "",
        "retry: 5",
        "",
        "data: cut",
    ]

    found = list(events(iter(lines)))

    assert [(event.name, event.data, event.last_id) for event in found] == [("message", "{\n}", "7"), ("skipped", "x", "7")]  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(-1, 12)), max_size=30))
def test_every_span_is_placed_once_whatever_they_claim(pairs: list[tuple[int, int]]) -> None:
    """Circles, parents that are missing, the same id twice, a span that is its own parent."""
    spans = [{"span_id": str(own), "parent_span_id": "" if parent < 0 else str(parent), "start": "x", "duration_ns": -5} for own, parent in pairs]  # fmt: skip

    found = placed(spans)

    assert sorted(id(each.span) for each in found) == sorted(id(span) for span in spans)
    assert all(each.duration_ns == 0 for each in found)


def test_a_chain_of_thousands_is_no_recursion() -> None:
    """A trace may be as deep as it is long."""
    spans = [{"span_id": str(n), "parent_span_id": str(n - 1) if n else "", "start": "2026-11-27T14:00:00Z"} for n in range(10_000)]  # fmt: skip

    assert placed(spans)[-1].depth == 9_999


def test_series_of_each_kind() -> None:
    """Vectors, matrices, a number; what is none of them is no row."""
    assert metrics.series({"resultType": "scalar", "result": [1, "2"]}) == [{"metric": {}, "value": [1, "2"]}]
    assert metrics.series({"resultType": "vector", "result": [{"metric": {}}, 3]}) == [{"metric": {}}]
    assert metrics.series({"resultType": "matrix", "result": None}) == []
    assert metrics.labels({"__name__": "up", "job": 'a"b'}) == 'up{job="a\\"b"}'
    assert metrics.labels({}) == "{}"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"state": "waiting", "elapsed_ms": 1234}, "waiting, 1.2 s"),
        ({"state": "running", "elapsed_ms": 2000, "rows_read": 12_300_000, "percent": None}, "reading, 12.3 M rows, 2.0 s"),
        ({"state": "running", "elapsed_ms": 2000, "rows_read": 5e6, "rows_total": 1e7, "percent": 50.0}, "reading 5 M of 10 M rows, 50 %, 2.0 s"),
        ({"state": "running", "elapsed_ms": "?", "rows_read": None, "percent": None}, "reading, 0 rows, 0.0 s"),
    ],
)  # fmt: skip
def test_progress_is_a_line(row: dict[str, object], said: str) -> None:
    """With what is known."""
    assert sentence(row) == said


def test_an_id_alone_is_a_place_to_come_back_to() -> None:
    """A quiet stream moves its id on without a record: whoever breaks off then resumes there, once told for each."""
    lines = ["id: a", "", ": alive", "", "id: a", "", "id: b", "", "id: c", "data: {}", ""]

    found = [(event.name, event.last_id) for event in events(lines)]

    assert found == [("", "a"), ("", "b"), ("message", "c")]
