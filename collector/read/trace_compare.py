"""
What the selected traces have in common that the others have not.

Of the traces that fit a question some are selected: slow ones, failing ones, those of some minutes. For every (service, attribute, value) that a span of a
trace carries, the share of the selected traces that have it is compared with the share of the others. The score is the lower bound of the 95 %
confidence interval of the difference, after Agresti and Caffo (one success and one failure added to each side): a value seen once explains nothing,
however different its shares are.

Bounded, whatever the tables hold: the spans read are those of one stretch of the window, at most about `SPANS_MOST`, the one with the most selected
traces; of them at most `TRACES_MOST` selected and as many other traces, chosen by a hash of their ids.

Source: Agresti, Caffo: Simple and Effective Confidence Intervals for Proportions and Differences of Proportions, The American Statistician 54 (2000).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from collector.query.window import Window, rfc_3339, sql_time
from collector.read.sql import Reader, Row
from collector.read.traces import REACH_NS, SETTINGS, Wanted, matching

TRACES_MOST = 1_000
SPANS_MOST = 500_000
# The stretch is put together from so many slices of the window.
_SLICES = 200
# Longer values are cut for counting; a stack trace is recognised by less.
VALUE_CHARS = 256


@dataclass(frozen=True, slots=True)
class Selection:
    """
    Which of the traces are selected: those that meet all that is given (None = not asked).

    Attributes:
        start_ns: Began then or later.
        end_ns: Began before.
        min_duration_ms: Took at least so long.
        max_duration_ms: Took less.
        error: Failed, or did not.
    """

    start_ns: int | None = None
    end_ns: int | None = None
    min_duration_ms: float | None = None
    max_duration_ms: float | None = None
    error: bool | None = None

    def sql(self) -> str:
        """Give the condition over the columns of `matching`."""
        asked = {
            "began >= {selected_start:DateTime64(9, 'UTC')}": self.start_ns,
            "began < {selected_end:DateTime64(9, 'UTC')}": self.end_ns,
            "duration_ns >= {selected_min_ns:UInt64}": self.min_duration_ms,
            "duration_ns < {selected_max_ns:UInt64}": self.max_duration_ms,
            "failed = {selected_error:UInt8}": self.error,
        }
        return " AND ".join(sql for sql, value in asked.items() if value is not None) or "1"

    def params(self) -> dict[str, object]:
        """Give the values of its places."""
        return {
            "selected_start": sql_time(self.start_ns or 0),
            "selected_end": sql_time(self.end_ns or 0),
            "selected_min_ns": round((self.min_duration_ms or 0) * 1e6),
            "selected_max_ns": round((self.max_duration_ms or 0) * 1e6),
            "selected_error": int(bool(self.error)),
        }


def compare(reader: Reader, wanted: Wanted, selection: Selection, limit: int) -> Row:
    """
    Rank the attribute values that set the selected traces apart.

    Returns:
        ``{selected, rest, sample: {selected, rest, start, end}, pairs}``: traces in the window, those compared, and per pair ``{service, key,
        value, cut, score, selected, rest, selected_share, rest_share}``, the highest score first; counts are of the compared traces.
    """
    slices = _counted(reader, wanted, selection)
    selected, rest = sum(each.selected for each in slices), sum(each.rest for each in slices)
    made: Row = {"selected": selected, "rest": rest, "sample": None, "pairs": []}
    if not selected or not rest:
        return made
    stretch = _stretch(slices, wanted.window)
    longest_ns = min(REACH_NS, max(each.longest_ns for each in slices))
    reached = {"spans_until": sql_time(stretch.end_ns + longest_ns)}
    rows = _pairs(reader, replace(wanted, window=stretch), selection, {**reached, "limit": limit})
    sizes = {name: rows[0][f"{name}_traces"] if rows else 0 for name in ("selected", "rest")}
    span = {"start": rfc_3339(stretch.start_ns), "end": rfc_3339(stretch.end_ns)}
    return {**made, "sample": {**sizes, **span}, "pairs": [_pair(row, sizes) for row in rows]}


@dataclass(frozen=True, slots=True)
class _Slice:
    """Part of the window: ``[start_ns, end_ns)``, its traces and how many spans begin in it."""

    start_ns: int
    end_ns: int
    selected: int
    rest: int
    spans: int
    longest_ns: int


_SLICED = """
SELECT intDiv(toUnixTimestamp64Nano(began) - {{from_ns:Int64}}, {{step:Int64}}) AS slice,
       countIf({selected}) AS selected, countIf(NOT ({selected})) AS rest, max(duration_ns) AS longest_ns
FROM ({matching})
GROUP BY slice
ORDER BY slice
LIMIT 1000
"""
_WEIGHED = """
SELECT intDiv(toUnixTimestamp64Nano(t.start) - {from_ns:Int64}, {step:Int64}) AS slice, sum(t.spans) AS spans
FROM trace_index AS t
WHERE t.day >= toDate({start:DateTime64(9, 'UTC')}) AND t.day <= toDate({end:DateTime64(9, 'UTC')})
  AND t.start >= {start:DateTime64(9, 'UTC')} AND t.start < {end:DateTime64(9, 'UTC')}
GROUP BY slice
ORDER BY slice
LIMIT 1000
"""


def _counted(reader: Reader, wanted: Wanted, selection: Selection) -> list[_Slice]:
    window = wanted.window
    step = max(1, -(-(window.end_ns - window.start_ns) // _SLICES))
    params = {**wanted.params(), **selection.params(), "from_ns": window.start_ns, "step": step}
    sql = _SLICED.format(matching=matching(wanted), selected=selection.sql())
    traces = {row["slice"]: row for row in reader.rows(sql, params, SETTINGS)}
    spans = {row["slice"]: row["spans"] for row in reader.rows(_WEIGHED, params)}
    return [
        _Slice(
            window.start_ns + number * step,
            min(window.end_ns, window.start_ns + (number + 1) * step),
            row["selected"],
            row["rest"],
            spans.get(number, 0),
            row["longest_ns"],
        )
        for number, row in sorted(traces.items())
    ]


def _stretch(slices: Sequence[_Slice], window: Window) -> Window:
    """Give the run of slices with the most selected traces, then the most others, among those that hold at most `SPANS_MOST` spans."""
    best, first, spans, selected, rest = (-1, -1, 0, 0), 0, 0, 0, 0
    for last, each in enumerate(slices):
        spans, selected, rest = spans + each.spans, selected + each.selected, rest + each.rest
        while spans > SPANS_MOST and first < last:
            gone, first = slices[first], first + 1
            spans, selected, rest = spans - gone.spans, selected - gone.selected, rest - gone.rest
        best = max(best, (min(selected, TRACES_MOST), min(rest, TRACES_MOST), first, last))
    return Window(slices[best[2]].start_ns, slices[best[3]].end_ns, window.now_ns)


_PAIRS = """
WITH (SELECT (groupArrayIf(trace_id, is_selected), groupArrayIf(trace_id, NOT is_selected))
      FROM (SELECT trace_id, {selected} AS is_selected
            FROM ({matching})
            ORDER BY cityHash64(trace_id)
            LIMIT {{traces_most:UInt32}} BY is_selected)) AS chosen,
length(chosen.1) AS selected_traces, length(chosen.2) AS rest_traces,
(selected + 1) / (selected_traces + 2) AS p, (rest + 1) / (rest_traces + 2) AS q,
sqrt(p * (1 - p) / (selected_traces + 2) + q * (1 - q) / (rest_traces + 2)) AS deviation
SELECT service, pair.1 AS key, substring(pair.2, 1, {{chars:UInt32}}) AS value, max(length(pair.2)) > {{chars:UInt32}} AS cut,
       uniqExactIf(trace_id, is_selected) AS selected, uniqExactIf(trace_id, NOT is_selected) AS rest,
       greatest(abs(p - q) - 1.96 * deviation, 0) AS score, selected_traces, rest_traces
FROM
(
    SELECT trace_id, service, trace_id IN (SELECT arrayJoin(chosen.1)) AS is_selected,
           arrayConcat(arrayZip(mapKeys(attributes), mapValues(attributes)), arrayZip(mapKeys(resource), mapValues(resource)),
                       [('name', CAST(name, 'String')), ('status', CAST(status, 'String')), ('kind', CAST(kind, 'String')),
                        ('status_message', status_message)]) AS pairs
    FROM spans
    WHERE spans.start >= {{start:DateTime64(9, 'UTC')}} AND spans.start <= {{spans_until:DateTime64(9, 'UTC')}}
      AND toStartOfMinute(spans.start) >= toStartOfMinute({{start:DateTime64(9, 'UTC')}})
      AND toStartOfMinute(spans.start) <= toStartOfMinute({{spans_until:DateTime64(9, 'UTC')}})
      AND trace_id IN (SELECT arrayJoin(arrayConcat(chosen.1, chosen.2)))
)
ARRAY JOIN pairs AS pair
WHERE pair.2 != '' AND pair.1 != 'service.name'
GROUP BY service, key, value
ORDER BY round(score, 1) DESC, p > q DESC, score DESC, service, key, value
LIMIT {{limit:UInt32}}
"""


def _pairs(reader: Reader, wanted: Wanted, selection: Selection, more: Row) -> list[Row]:
    sql = _PAIRS.format(matching=matching(wanted), selected=selection.sql())
    params = {
        **wanted.params(),
        **selection.params(),
        "traces_most": TRACES_MOST,
        "chars": VALUE_CHARS,
        **more,
    }
    return reader.rows(sql, params, SETTINGS)


def _pair(row: Row, sizes: Row) -> Row:
    shares = {f"{name}_share": row[name] / max(1, sizes[name]) for name in ("selected", "rest")}
    kept = {name: row[name] for name in ("service", "key", "value", "score", "selected", "rest")}
    return {**kept, "cut": bool(row["cut"]), **shares}
