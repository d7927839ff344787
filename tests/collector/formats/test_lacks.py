"""Bodies without exemplars are known as such when they are taken: only then may their segment not be read for them."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector.formats.exposition.receive import PROTOCOL as EXPOSITION
from collector.formats.otlp_metrics.receive import PROTOCOL as OTLP
from collector.formats.otlp_metrics_json.receive import PROTOCOL as OTLP_JSON
from collector.formats.remote_write.receive import PROTOCOL as REMOTE_WRITE
from collector.formats.remote_write_v2.receive import PROTOCOL as REMOTE_WRITE_V2
from collector.receive.protocol import Protocol
from tests.collector.formats.write_requests import Request, Table, add_series


def _otlp(kind: str, exemplars: int) -> bytes:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    metrics.add(name="empty")
    metrics.add(name="quantiles").summary.data_points.add(count=1)
    metric = metrics.add(name="told")
    point = getattr(metric, kind).data_points.add()
    if kind in {"gauge", "sum"}:
        point.as_int = 1
    for _ in range(exemplars):
        point.exemplars.add(as_double=1)
    return request.SerializeToString()


_POINT = b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","gauge":{"dataPoints":[{"asInt":1%s}]}}]}]}]}'


@pytest.mark.parametrize(
    ("protocol", "without", "with_one"),
    [
        (EXPOSITION, b'a 1\nb{c="#"} 2 # no\n', b'a_total 1 # {trace_id="x"} 1\n'),
        (OTLP_JSON, _POINT % b"", _POINT % b',"exemplars":[{}]'),
        (OTLP_JSON, _POINT % b"", _POINT % b',"\\u0065xemplars":[{}]'),
        *((OTLP, _otlp(kind, 0), _otlp(kind, 1)) for kind in ("gauge", "sum", "histogram", "exponential_histogram")),
    ],
)  # fmt: skip
def test_a_body_without_exemplars_says_so(protocol: Protocol, without: bytes, with_one: bytes) -> None:
    """One exemplar anywhere, however it is written, and nothing is said to be lacking."""
    assert protocol.judge(without, {}).lacks == ("exemplars",)
    assert protocol.judge(with_one, {}).lacks == ()


_HISTOGRAMS = ("histogram_series", "histogram_samples")


@pytest.mark.parametrize(
    ("held", "lacks"),
    [
        ((), (*_HISTOGRAMS, "exemplars")),
        (("exemplars",), _HISTOGRAMS),
        (("histograms",), ("exemplars",)),
        (("histograms", "exemplars"), ()),
    ],
)
def test_a_write_request_says_what_few_hold(held: tuple[str, ...], lacks: tuple[str, ...]) -> None:
    """One of a kind in any series, neither the first nor the last, and its statements are run."""
    old, new = Request(), Table()
    for name in ("up", "told", "down"):
        for series in (add_series(old, name), new.series(name)):
            series.samples.add(value=1, timestamp=5)
            for kind in held if name == "told" else ():
                getattr(series, kind).add(timestamp=5)

    assert REMOTE_WRITE.judge(old.SerializeToString(), {}).lacks == lacks
    assert REMOTE_WRITE_V2.judge(new.body(), {}).lacks == lacks


def test_families_are_told_with_the_series_of_histograms() -> None:
    """Metadata of version 1.0 alone: one statement is read, and it is the one that knows them."""
    request = Request()
    request.metadata.add(metric_family_name="up", type=2)

    assert REMOTE_WRITE.judge(request.SerializeToString(), {}).lacks == ("histogram_samples", "exemplars")
