"""Bars of the log histogram."""

from __future__ import annotations

from dashboards.histogram import bars

END = "2026-11-22T03:02:00Z"


def test_severities_are_stacked_worst_first() -> None:
    """Errors stand on the axis, where heights compare best; the highest bar is 100 high."""
    rows = (
        {"at": "2026-11-22T03:00:00Z", "counts": {"info": 6, "error": 2}, "total": 10},
        {"at": "2026-11-22T03:01:00Z", "counts": {"info": 5}, "total": 5},
    )

    first, second = bars(rows, END)

    assert [(piece.severity, piece.y, piece.height) for piece in first.pieces] == [
        ("error", 80, 20),
        ("info", 20, 60),
        ("other", 0, 20),
    ]
    assert [(piece.severity, piece.y, piece.height) for piece in second.pieces] == [("info", 50, 50)]
    assert (first.until, second.until) == ("2026-11-22T03:01:00Z", END)


def test_an_empty_range_has_flat_bars() -> None:
    """No records: bars without pieces, and no division by zero."""
    (bar,) = bars(({"at": "2026-11-22T03:00:00Z", "counts": {}, "total": 0},), END)

    assert bar.pieces == ()
    assert bars((), END) == ()
