"""PromQL's answers as charts: steps, labels that tell series apart, units that names suggest, exemplars that lead to traces."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dashboards.api import CallerApi, Row, Section
from dashboards.charts import Chart, Exemplar, Line, aligned, amount, chart_of
from dashboards.timestamps import rfc3339
from dashboards.window import Window

POINTS = 240
"""About as many as a chart has pixels for."""
SERIES_SHOWN = 50
EXEMPLARS_SHOWN = 60
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)
_RATES = re.compile(r"\b(?:i?rate|deriv)\s*\(")
_UNITS = (
    (re.compile(r"_(?:seconds)(?:_bucket)?\b"), "s"),
    (re.compile(r"_(?:milliseconds|ms)(?:_bucket)?\b"), "ms"),
    (re.compile(r"_bytes(?:_total)?\b"), "bytes"),
    (re.compile(r"_ratio\b"), "ratio"),
)
_OF_RATES = {"bytes": "bytes_per_second", "": "per_second"}
_TRACE = ("trace_id", "traceID", "TraceID", "traceId")


@dataclass(frozen=True)
class Drawn:
    """One query's answer."""

    query: str
    answer: Section
    chart: Chart | None
    """None if there is nothing to draw."""
    hidden: int = 0
    """Series that are left out."""


async def draw(
    api: CallerApi,
    window: Window,
    name: str,
    query: str,
    title: str = "",
    unit: str = "",
    *,
    traces: bool = True,
) -> Drawn:
    """
    Ask for *query* over the time range and draw it.

    Args:
        api: As the visitor.
        window: The page's; its environment is not added to the query.
        name: Of the chart, unique on the page.
        query: PromQL.
        title: Of the chart; "" = the query.
        unit: One of `charts.UNITS`, or any word; "" = what the query suggests.
        traces: Whether to ask for exemplars.
    """
    ends = {"start": rfc3339(window.start), "end": rfc3339(window.end)}
    ranged = api.prometheus("query_range", params={**ends, "query": query, "step": f"{step_s(window)}s"})
    if traces:
        answer, found = await asyncio.gather(
            ranged, api.prometheus("query_exemplars", params={**ends, "query": query})
        )
    else:
        answer, found = await ranged, Section()
    series = sorted(answer.rows, key=_most, reverse=True)
    if not series:
        return Drawn(query, answer, None)
    times, values = aligned([_points(row) for row in series[:SERIES_SHOWN]])
    labels = told_apart([_labels(row.get("metric")) for row in series[:SERIES_SHOWN]], query)
    lines = [Line(label, tuple(numbers)) for label, numbers in zip(labels, values, strict=True)]
    chart = chart_of(name, title or query, unit or suggested_unit(query), times, lines, window)
    chart = replace(chart, exemplars=_exemplars(found.rows, window))
    return Drawn(query, answer, chart, max(len(series) - SERIES_SHOWN, 0))


def step_s(window: Window) -> int:
    """Choose the distance of points so that about `POINTS` stand in the range."""
    wanted = (window.end - window.start).total_seconds() / POINTS
    return next(
        (step for step in _STEPS_S if step >= wanted), _STEPS_S[-1] * max(1, round(wanted / _STEPS_S[-1]))
    )


def suggested_unit(query: str) -> str:
    """Say what unit the names in *query* suggest; "" where they suggest none."""
    plain = next((unit for pattern, unit in _UNITS if pattern.search(query)), "")
    if re.search(r"\)\s*/\s*", query):
        return plain if "_bucket" in query or "_sum" in query else ""
    if not _RATES.search(query) or "histogram_quantile" in query:
        return plain
    return _OF_RATES.get(plain, "")


def told_apart(series: Sequence[Mapping[str, str]], query: str) -> list[str]:
    """Write each label set by what tells it from the others."""
    if len(series) == 1:
        return [_written(series[0]) or query]
    common = (
        {item for item in series[0].items() if all(each.get(item[0]) == item[1] for each in series)}
        if series
        else set()
    )
    return [
        _written(dict(item for item in each.items() if item not in common)) or _written(each) or query
        for each in series
    ]


def _written(labels: Mapping[str, str]) -> str:
    name = labels.get("__name__", "")
    rest = ", ".join(f"{key}={value}" for key, value in labels.items() if key != "__name__")
    return f"{name} {rest}".strip()


def _points(row: Row) -> list[tuple[float, float | None]]:
    values = row.get("values")
    return [
        (float(point[0]), _number(point[1]))
        for point in (values if isinstance(values, list) else ())
        if isinstance(point, list) and len(point) == 2 and isinstance(point[0], int | float)
    ]


def _number(text: object) -> float | None:
    try:
        return float(str(text))
    except ValueError:
        return None


def _most(row: Row) -> float:
    finite = (amount(value) for _, value in _points(row))
    return max((value for value in finite if value is not None), default=-math.inf)


def _objects(value: object) -> list[Row]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _labels(value: object) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {}


def _exemplars(rows: Iterable[Row], window: Window) -> tuple[Exemplar, ...]:
    found = []
    for row in rows:
        series = _written(_labels(row.get("seriesLabels")))
        for one in _objects(row.get("exemplars")):
            labels = _labels(one.get("labels"))
            trace = next((labels[name] for name in _TRACE if labels.get(name)), "")
            value, at = amount(_number(one.get("value"))), amount(_number(one.get("timestamp")))
            if trace and value is not None and at is not None:
                found.append(Exemplar(at, value, series, window.trace_url(trace, labels.get("span_id", ""))))
    largest = sorted(found, key=lambda each: each.value, reverse=True)[:EXEMPLARS_SHOWN]
    return tuple(sorted(largest, key=lambda each: each.at))
