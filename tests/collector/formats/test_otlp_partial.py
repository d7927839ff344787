"""What of an OTLP request is refused, the rest being taken: said in Protobuf and in JSON, for each signal."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from collector.errors import Malformed
from collector.formats.otlp_logs.receive import PROTOCOL as LOGS
from collector.formats.otlp_logs_json.receive import PROTOCOL as LOGS_JSON
from collector.formats.otlp_metrics.receive import PROTOCOL as METRICS
from collector.formats.otlp_metrics_json.receive import PROTOCOL as METRICS_JSON
from collector.formats.otlp_traces.receive import PROTOCOL as TRACES
from collector.formats.otlp_traces_json.receive import PROTOCOL as TRACES_JSON

GOOD = (b"t" * 16, b"s" * 8)
BAD = [(b"", b"s" * 8), (b"t" * 16, b""), (bytes(16), b"s" * 8), (b"t" * 16, bytes(8)), (b"t" * 15, b"s" * 8), (b"t" * 16, b"s" * 9)]  # fmt: skip


def spans(*ids: tuple[bytes, bytes]) -> ExportTraceServiceRequest:
    """A request of spans with these ids, each named by its place."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number, (trace, span) in enumerate(ids):
        scope.spans.add(trace_id=trace, span_id=span, name=str(number))
    return request


def spans_json(*ids: tuple[bytes, bytes]) -> dict[str, Any]:
    """The same as OTLP's JSON."""
    told = [
        {"traceId": trace.hex(), "spanId": span.hex(), "name": str(n)} for n, (trace, span) in enumerate(ids)
    ]
    return {"resourceSpans": [{"scopeSpans": [{"spans": told}]}, {"resource": {}}]}


def points() -> ExportMetricsServiceRequest:
    """Two good points and five that are no samples."""
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    mixed = metrics.add(name="mixed").gauge.data_points
    mixed.add(as_int=0)
    mixed.add(time_unix_nano=1)
    mixed.add(flags=1)  # said to be missing: a gap, not a mistake
    for kind in (metrics.add(name="").sum, metrics.add(name="valueless").sum):
        kind.data_points.add(**({"as_double": 1.0} if kind is metrics[1].sum else {}))
    histogram = metrics.add(name="histogram").histogram.data_points
    histogram.add(count=3, bucket_counts=[1, 2], explicit_bounds=[5])
    histogram.add(count=3, bucket_counts=[1, 2], explicit_bounds=[5, 6])
    histogram.add(count=3)
    metrics.add(name="exponential").exponential_histogram.data_points.add(count=1)
    return request


@pytest.mark.parametrize("bad", BAD)
def test_a_span_without_valid_ids_is_left_out(bad) -> None:
    """Its neighbours are kept as they came, and the answer counts it."""
    body = spans(GOOD, bad, GOOD).SerializeToString()

    judged = TRACES.judge(body, {})

    kept = ExportTraceServiceRequest.FromString(judged.kept)
    assert [span.name for span in kept.resource_spans[0].scope_spans[0].spans] == ["0", "2"]
    assert judged.records == 2
    answer = ExportTraceServiceResponse.FromString(
        TRACES.respond({"batch": "b", **judged.told}, duplicate=False).body
    )
    assert answer.partial_success.rejected_spans == 1
    assert "trace_id (16 bytes" in answer.partial_success.error_message


@pytest.mark.parametrize("bad", [*BAD, (b"t" * 16 + b",", b"s" * 8)])
def test_the_same_in_json(bad) -> None:
    """Also where an id is no hex or is not there; a comma in one makes no two of it."""
    request = spans_json(GOOD, bad, GOOD)
    own = copy.deepcopy(request["resourceSpans"][0]["scopeSpans"][0]["spans"])
    own[1] |= {"traceId": own[1]["traceId"].replace("2c", ",")}
    request["resourceSpans"][0]["scopeSpans"][0]["spans"] = [
        *own,
        {"name": "3"},
        {"traceId": "zz" * 16, "spanId": None},
    ]

    judged = TRACES_JSON.judge(json.dumps(request).encode(), {})

    kept = json.loads(judged.kept)
    assert [span["name"] for span in kept["resourceSpans"][0]["scopeSpans"][0]["spans"]] == ["0", "2"]
    answer = json.loads(TRACES_JSON.respond({"batch": "b", **judged.told}, duplicate=False).body)
    assert answer["partialSuccess"]["rejectedSpans"] == "3"
    assert json_format.ParseDict(answer, ExportTraceServiceResponse()).partial_success.rejected_spans == 3


def test_points_that_are_no_samples_are_left_out() -> None:
    """Without a name, without a value, of ill-bounded histograms; by name in the answer; the same in JSON."""
    body = points().SerializeToString()
    text = json_format.MessageToJson(points(), use_integers_for_enums=True).encode()

    judged, in_json = METRICS.judge(body, {}), METRICS_JSON.judge(text, {})

    kept = ExportMetricsServiceRequest.FromString(judged.kept).resource_metrics[0].scope_metrics[0].metrics
    assert [metric.name for metric in kept] == ["mixed", "histogram", "exponential"]
    assert (len(kept[0].gauge.data_points), len(kept[1].histogram.data_points)) == (2, 2)
    assert json_format.Parse(in_json.kept, ExportMetricsServiceRequest()).resource_metrics[0].scope_metrics[0].metrics == kept  # fmt: skip
    answer = ExportMetricsServiceResponse.FromString(
        METRICS.respond({"batch": "b", **judged.told}, duplicate=False).body
    )
    assert answer.partial_success.rejected_data_points == 4
    assert answer.partial_success.error_message == (
        "data points of 'mixed': 1 × no value, '': 1 × metric without a name, 'valueless': 1 × no value, "
        "'histogram': 1 × bucket_counts are not one more than explicit_bounds"
    )
    assert in_json.told == judged.told


def test_where_all_is_wrong_the_request_is() -> None:
    """A 400: nothing of it is kept, and sending it again does not help."""
    nameless = ExportMetricsServiceRequest()
    nameless.resource_metrics.add().scope_metrics.add().metrics.add().gauge.data_points.add(as_int=1)
    for protocol, body in (
        (TRACES, spans(*BAD).SerializeToString()),
        (TRACES_JSON, json.dumps(spans_json(*BAD)).encode()),
        (METRICS, nameless.SerializeToString()),
        (METRICS_JSON, json_format.MessageToJson(nameless).encode()),
    ):
        with pytest.raises(Malformed, match="nothing of this request can be stored: ") as raised:
            protocol.judge(body, {})

        assert raised.value.code == "bad_record"


def test_what_is_sound_goes_on_untouched() -> None:
    """No copy, no word in the answer; a log record's invalid ids are no reason."""
    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(trace_id=b"short")
    sound = ExportMetricsServiceRequest()
    sound.resource_metrics.add().scope_metrics.add().metrics.add(name="m").gauge.data_points.add(as_int=0)
    for protocol, body in (
        (TRACES, spans(GOOD).SerializeToString()),
        (TRACES_JSON, json.dumps(spans_json(GOOD)).encode()),
        (LOGS, logs.SerializeToString()),
        (LOGS_JSON, b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"x"}]}]}]}'),
        (METRICS, sound.SerializeToString()),
        (METRICS_JSON, json_format.MessageToJson(sound).encode()),
    ):
        judged = protocol.judge(body, {})

        assert (judged.kept, judged.told) == (None, {})
        assert protocol.respond({"batch": "b"}, duplicate=False).body in {b"", b"{}"}


@given(st.lists(st.sampled_from([GOOD, *BAD])))
def test_every_span_is_stored_or_told(ids) -> None:
    """Kept and rejected make the whole, in both encodings alike."""
    good = ids.count(GOOD)
    for protocol, body in (
        (TRACES, spans(*ids).SerializeToString()),
        (TRACES_JSON, json.dumps(spans_json(*ids)).encode()),
    ):
        if ids and not good:
            with pytest.raises(Malformed):
                protocol.judge(body, {})
            continue
        judged = protocol.judge(body, {})

        assert (judged.records, judged.told.get("rejected", 0)) == (good, len(ids) - good)


def test_a_body_says_whose_it_is() -> None:
    """For the keys that may not write as everybody."""
    request = spans(GOOD)
    pair = request.resource_spans[0].resource.attributes.add(key="service.name")
    pair.value.string_value = "checkout"
    body = request.SerializeToString()
    text = b'{"resourceSpans":[{"resource":{"attributes":[{"key":"x"},{"key":"service.name","value":{"stringValue":"checkout"}}]},"scopeSpans":[]},{}]}'

    assert TRACES.judge(body, {}).claims(body) == {"checkout"}
    assert TRACES_JSON.judge(text, {}).claims(text) == {"checkout"}


@pytest.mark.parametrize(
    "text",
    [
        b'{"later":{},"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"checkout"}}]}}]}',
        b'{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"checkout"}},{"key":"x","value":{"intValue":1}}]},"new":1}]}',
    ],
)
def test_what_else_a_body_holds_is_no_trouble_in_saying_whose_it_is(text: bytes) -> None:
    """Fields that are newer than this, before or behind."""
    assert set(TRACES_JSON.judge(json.dumps(spans_json(GOOD)).encode(), {}).claims(text)) == {"checkout"}


@pytest.mark.parametrize("text", [b'{"resourceSpans":[{"resource":5}]}', b'{"resourceSpans":[{"resource":{"attributes":[{"key":1,"value":[]}]}}]}', b'{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":[]}}]}}]}', b'{"resourceSpans":null}', b"{}"])  # fmt: skip
def test_a_body_that_says_it_wrongly_says_nothing(text: bytes) -> None:
    """What is odd there is the mapping's to read; an answer is not lost over it."""
    assert set(TRACES_JSON.judge(json.dumps(spans_json(GOOD)).encode(), {}).claims(text)) == set()


@pytest.mark.parametrize("flags", ["\u00b2", "9" * 5000, -1, 1.5, [], {}, "1x", True])
def test_odd_flags_are_no_excuse_for_a_missing_value(flags: Any) -> None:
    """And no reason to fail: the point is left out, its neighbour is kept."""
    request = {
        "resourceMetrics": [
            {
                "scopeMetrics": [
                    {"metrics": [{"name": "m", "gauge": {"dataPoints": [{"asInt": "1"}, {"flags": flags}]}}]}
                ]
            }
        ]
    }

    judged = METRICS_JSON.judge(json.dumps(request).encode(), {})

    assert judged.told["rejected"] == 1
