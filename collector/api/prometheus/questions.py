"""``query``, ``query_range``, ``query_exemplars``, ``format_query``."""

from __future__ import annotations

import time

import msgspec

from collector.api.prometheus import answers
from collector.api.prometheus.answers import Said, said
from collector.api.prometheus.form import Form
from collector.api.prometheus.numbers import time_text, value_text
from collector.api.prometheus.parts import PrometheusParts
from collector.errors import QueryError
from collector.query.matchers import chosen, selectors
from collector.query.promql.syntax import parse, pretty
from collector.read import metrics, series
from collector.read.sql import Reader

# Prometheus' own bound on the points of a series.
MAX_POINTS = 11_000
# More than a picture can show; Grafana samples what it gets.
_EXEMPLARS = 10_000


def instant(parts: PrometheusParts, reader: Reader, form: Form) -> Said:
    """Answer ``query``."""
    at_ms = form.time_ms("time", parts.clock_ns() // 1_000_000)
    limit, lookback_ms = form.limit(), _lookback_ms(form)
    began = time.perf_counter()
    found = metrics.instant(reader, form.text("query"), at_ms, lookback_ms)
    return answers.result(found, at_ms, limit, _stats(form, reader, began, (at_ms,)))


def ranged(parts: PrometheusParts, reader: Reader, form: Form) -> Said:
    """Answer ``query_range``."""
    del parts
    start_ms, end_ms = form.time_ms("start"), form.time_ms("end")
    if end_ms < start_ms:
        raise QueryError("bad_range", 'invalid parameter "end": end timestamp must not be before start time')
    step_ms = form.required_duration_ms("step")
    if step_ms <= 0:
        raise QueryError("bad_parameter", 'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer', "step")  # fmt: skip
    if (end_ms - start_ms) // step_ms > MAX_POINTS:
        raise QueryError("bad_range", "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)")  # fmt: skip
    limit, lookback_ms = form.limit(), _lookback_ms(form)
    began = time.perf_counter()
    found = metrics.range_query(reader, form.text("query"), start_ms, end_ms, step_ms, lookback_ms)
    steps = range(start_ms, end_ms + 1, step_ms)
    return answers.result(found, end_ms, limit, _stats(form, reader, began, steps))


def exemplars(parts: PrometheusParts, reader: Reader, form: Form) -> Said:
    """Answer ``query_exemplars``: exemplars of every series that the expression selects."""
    del parts
    span, asked = form.span(), selectors(parse(form.text("query")))
    found = series.exemplars(reader, chosen(asked), span, _EXEMPLARS) if asked else []
    rows = b",".join(_exemplified(one) for one in found)
    return Said(b"[" + rows + b"]")


def formatted(parts: PrometheusParts, reader: Reader, form: Form) -> Said:
    """Answer ``format_query``."""
    del parts, reader
    return said(pretty(parse(form.text("query"))))


def _exemplified(found: series.Exemplified) -> bytes:
    told = b",".join(
        b'{"labels":%s,"value":"%s","timestamp":%s}'
        % (msgspec.json.encode(one.labels), value_text(one.value).encode(), time_text(one.at_ms).encode())
        for one in found.exemplars
    )
    return b'{"seriesLabels":%s,"exemplars":[%s]}' % (msgspec.json.encode(found.labels), told)


def _lookback_ms(form: Form) -> int:
    lookback_ms = form.duration_ms("lookback_delta")
    if lookback_ms is None:
        return metrics.LOOKBACK_MS
    if lookback_ms <= 0:
        raise QueryError("bad_parameter", 'invalid parameter "lookback_delta": it must be positive', "lookback_delta")  # fmt: skip
    return lookback_ms


def _stats(form: Form, reader: Reader, began: float, steps: range | tuple[int, ...]) -> bytes:
    """Say what a question cost, where it was asked: samples are rows the engine read, which is more than what a series had."""
    if not form.text("stats"):
        return b""
    spent = time.perf_counter() - began
    rows = reader.cost.rows_read
    samples: dict[str, object] = {"totalQueryableSamples": rows, "peakSamples": rows}
    if form.text("stats") == "all":
        # the engine answers all steps at once: what each of them cost, nobody knows
        samples["totalQueryableSamplesPerStep"] = [[at_ms / 1000, rows // len(steps)] for at_ms in steps]
    timings = {
        "evalTotalTime": spent,
        "resultSortTime": 0,
        "queryPreparationTime": 0,
        "innerEvalTime": reader.cost.elapsed_ms / 1000,
        "execQueueTime": 0,
        "execTotalTime": spent,
    }
    return msgspec.json.encode({"timings": timings, "samples": samples})
