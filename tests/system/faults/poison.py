"""Hostile input, by ingest path: each is one request; good records stand beside the bad ones in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.system.faults.caller import attributes, resource

DEEP = 10_000
KEYS = 10_000
BIG = 10 << 20
NEVER = b"XXXXXXXX"
BROKEN = b"\xff\xfe\xc0\x80\xed\xa0\x80\xf8"
"""Not UTF-8, as long as ``NEVER``, whose place it takes on the wire."""
PROTOBUF = "application/x-protobuf"
MAX = (1 << 64) - 1
SERVICE = "poisoned"
RESOURCE = {"Fuseboard-Resource": f"service.name={SERVICE},deployment.environment.name=test"}


@dataclass(frozen=True)
class Poison:
    """One request."""

    name: str
    path: str
    body: bytes
    content_type: str
    headers: dict[str, str] = field(default_factory=lambda: RESOURCE)


LINES: dict[str, bytes] = {
    "ten_megabytes_of_text": b"a" * BIG,
    "ten_megabytes_of_json": json.dumps({"msg": "b" * BIG}).encode(),
    "a_megabyte_of_key": b'{"' + b"k" * (1 << 20) + b'":1,"msg":"long key"}',
    "nuls": b"\0\0\0 text \0 between \0",
    "nuls_in_json": b'{"msg":"a \0 b"}',
    "escaped_nuls": rb'{"msg":"a \u0000 b","\u0000":"\u0000"}',
    "broken_utf8": b"text " + BROKEN + b" text",
    "broken_utf8_in_json": b'{"msg":"' + BROKEN + b'","' + BROKEN + b'":1}',
    "broken_utf8_in_logfmt": b"level=info msg=" + BROKEN + b" k" + BROKEN + b"=1",
    "lone_surrogates": rb'{"msg":"\ud800 and \udfff","k":"\udead"}',
    "deep_objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep_arrays": b'{"msg":"deep","a":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep_and_torn": b'{"a":' * DEEP,
    "many_keys": json.dumps({f"k{n}": n for n in range(KEYS)} | {"msg": "many keys"}).encode(),
    "many_nested_keys": json.dumps({"a": {f"k{n}": {"x": n} for n in range(KEYS)}}).encode(),
    "many_logfmt_keys": b" ".join(b"k%d=%d" % (n, n) for n in range(KEYS)),
    "ten_years_ago": b'{"msg":"old","time":"2016-01-01T00:00:00Z"}',
    "in_ten_years": b'{"msg":"new","time":"2036-01-01T00:00:00Z"}',
    "year_1": b'{"msg":"y","time":"0001-01-01T00:00:00Z"}',
    "year_99999": b'{"msg":"y","time":"99999-01-01T00:00:00Z"}',
    "no_such_day": b'{"msg":"y","time":"2026-02-31T25:61:61Z"}',
    "epoch_0": b'{"msg":"y","ts":0}',
    "epoch_negative": b'{"msg":"y","ts":-62135596800}',
    "epoch_enormous": b'{"msg":"y","ts":9999999999999999999999999}',
    "epoch_1e308": b'{"msg":"y","ts":1e308}',
    "time_is_an_object": b'{"msg":"y","time":{"a":[1]},"level":{"b":2},"trace_id":[3],"service":{"c":4}}',
    "nulls": b'{"msg":null,"time":null,"level":null,"trace_id":null,"service":null,"env":null,"host":null}',
    "numbers_too_large": b'{"msg":"n","a":1e400,"b":-1e400,"c":'
    + b"9" * 10_000
    + b',"d":0.'
    + b"1" * 10_000
    + b"}",
    "not_numbers": b'{"msg":"n","a":NaN,"b":Infinity,"c":-Infinity}',
    "minus_zero": b'{"msg":"n","a":-0,"b":-0.0,"c":00012}',
    "same_key_twice": b'{"msg":"one","msg":"two","level":"info","level":"error","k":1,"k":2}',
    "empty_key": b'{"":"","msg":"empty key"}',
    "empty_object": b"{}",
    "empty_array": b"[]",
    "torn_json": b'{"msg":"torn',
    "torn_docker": b'{"log":"',
    "docker_of_nothing": b'{"log":"","stream":"","time":""}',
    "cri_of_nothing": b"2026-01-01T00:00:00Z stdout F ",
    "cri_of_deep": b"2026-01-01T00:00:00Z stdout F " + b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "spaces": b"   \t  ",
    "controls": bytes(range(1, 10)) + bytes(range(14, 32)),
    "quotes": b"'\"`\\'); DROP TABLE logs; -- %s {x:String} ${jndi:ldap://x}",
    "transition_of_nonsense": b'{"event":"circuit_breaker.transition","breaker":"b","to":"open","at":"1e400","calls":-1,"failure_rate":"NaN"}',
}
"""One line each: none of them holds a newline."""


def lines() -> Iterator[Poison]:
    """Each bad line between two good ones, in one block."""
    for name, line in LINES.items():
        body = b"before %s\n%s\nafter %s\n" % (name.encode(), line, name.encode())
        yield Poison(name, "/v1/lines", body, "text/plain")
    yield Poison("nothing_but_ends", "/v1/lines", b"\n\n\r\n\r\r\n\n", "text/plain")
    returns = b"before returns\n\r\n\r\r\r\nwith\rreturns\rinside\r\nafter returns\n"
    yield Poison("returns", "/v1/lines", returns, "text/plain")
    yield Poison(
        "wrong_format",
        "/v1/lines",
        b"not json at all\n",
        "text/plain",
        RESOURCE | {"Fuseboard-Format": "json"},
    )


def otlp() -> Iterator[Poison]:
    """Requests of all three signals with what no SDK would send."""
    for name, body in _logs():
        yield Poison(name, "/v1/logs", body, PROTOBUF, {})
    for name, body in _traces():
        yield Poison(name, "/v1/traces", body, PROTOBUF, {})
    for name, body in _metrics():
        yield Poison(name, "/v1/metrics", body, PROTOBUF, {})
    for path in ("/v1/logs", "/v1/traces", "/v1/metrics"):
        yield Poison("random_bytes", path, bytes(range(256)) * 40, PROTOBUF, {})
        yield Poison("torn", path, b"\x0a\xff\xff\x7f", PROTOBUF, {})
        yield Poison("json_for_protobuf", path, b'{"a":' * 1000, PROTOBUF, {})
        yield Poison(
            "deep_json", path, b'{"resourceLogs":' + b"[" * DEEP + b"]" * DEEP + b"}", "application/json", {}
        )


def _logs() -> Iterator[tuple[str, bytes]]:
    def request() -> tuple[ExportLogsServiceRequest, object]:
        message = ExportLogsServiceRequest()
        scope = message.resource_logs.add(resource=resource(SERVICE)).scope_logs.add()
        scope.log_records.add(time_unix_nano=1, severity_number=9).body.string_value = "good beside bad"
        return message, scope.log_records

    for name, time in (("time_0", 0), ("time_max", MAX), ("time_1", 1)):
        message, records = request()
        records.add(time_unix_nano=time, observed_time_unix_nano=time).body.string_value = name
        yield name, message.SerializeToString()
    message, records = request()
    records.add(severity_number=-2147483648, severity_text=NEVER.decode(), trace_id=b"x" * 77, span_id=b"y")
    yield "odd_fields", message.SerializeToString().replace(NEVER, BROKEN)
    message, records = request()
    record = records.add(attributes=attributes(big="v" * (1 << 20), broken=NEVER.decode()))
    record.body.string_value = NEVER.decode()
    record.attributes.extend(attributes(**{f"k{n}": "v" for n in range(KEYS)}))
    record.attributes.extend(attributes(same="1", **{"": "empty"}))
    record.attributes.extend(attributes(same="2"))
    yield "attributes", message.SerializeToString().replace(NEVER, BROKEN)
    message, records = request()
    value = records.add().body
    for _ in range(60):
        value = value.kvlist_value.values.add(key="k").value
    value.double_value = float("nan")
    yield "nested", message.SerializeToString()
    yield "nested_10k", _nested(DEEP)


def _nested(depth: int) -> bytes:
    """An ExportLogsServiceRequest whose record's body is *depth* arrays deep, written by hand: no library goes that far."""
    value = b""
    for _ in range(depth):
        array = _field(1, value)  # ArrayValue.values
        value = _field(5, array)  # AnyValue.array_value
    record = _field(5, value)  # LogRecord.body
    return _field(1, _field(2, _field(2, record)))


def _field(number: int, data: bytes) -> bytes:
    length, size = b"", len(data)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data


def _traces() -> Iterator[tuple[str, bytes]]:
    shapes: dict[str, dict[str, object]] = {
        "time_0": {"start_time_unix_nano": 0, "end_time_unix_nano": 0},
        "time_max": {"start_time_unix_nano": MAX, "end_time_unix_nano": MAX},
        "ends_before_it_starts": {"start_time_unix_nano": 10**18, "end_time_unix_nano": 1},
        "lasts_for_ever": {"start_time_unix_nano": 1, "end_time_unix_nano": MAX},
        "no_ids": {"trace_id": b"", "span_id": b""},
        "long_ids": {"trace_id": b"t" * 1000, "span_id": b"s" * 1000, "parent_span_id": b"p" * 1000},
        "odd_kind": {"kind": 77},
        "name": {"name": NEVER.decode() + "n" * (1 << 20)},
    }
    for name, fields in shapes.items():
        message = ExportTraceServiceRequest()
        spans = message.resource_spans.add(resource=resource(SERVICE)).scope_spans.add().spans
        spans.add(
            trace_id=b"g" * 16,
            span_id=b"g" * 8,
            name="good beside bad",
            start_time_unix_nano=1,
            end_time_unix_nano=2,
        )
        span = spans.add(**{"trace_id": b"p" * 16, "span_id": b"p" * 8, **fields})
        span.status.code = 9
        span.status.message = NEVER.decode()
        span.attributes.extend(
            attributes(http__route="/", http__response__status_code="NaN", peer__service=NEVER.decode())
        )
        event = span.events.add(time_unix_nano=MAX, name="circuit_breaker.transition")
        event.attributes.extend(
            attributes(breaker=NEVER.decode(), to="OPEN", calls="-1", failure_rate="1e400")
        )
        span.links.add(trace_id=b"", span_id=b"zz")
        yield name, message.SerializeToString().replace(NEVER, BROKEN)


def _metrics() -> Iterator[tuple[str, bytes]]:
    for name, time in (("time_0", 0), ("time_max", MAX)):
        message = ExportMetricsServiceRequest()
        metrics = message.resource_metrics.add(resource=resource(SERVICE)).scope_metrics.add().metrics
        metrics.add(name="good_beside_bad").gauge.data_points.add(time_unix_nano=1, as_int=1)
        gauge = metrics.add(name=NEVER.decode(), unit=NEVER.decode(), description=NEVER.decode()).gauge
        for value in (float("nan"), float("inf"), -float("inf"), 5e-324, 1.7e308):
            gauge.data_points.add(
                time_unix_nano=time, as_double=value, attributes=attributes(k=NEVER.decode())
            )
        gauge.data_points.add(time_unix_nano=time, as_int=-(1 << 63))
        gauge.data_points.add(time_unix_nano=time)
        metrics.add(name="").sum.data_points.add(time_unix_nano=time, as_int=1)
        metrics.add(name="no_data")
        histogram = metrics.add(name="histogram").histogram.data_points.add(
            time_unix_nano=time, count=MAX, sum=float("nan")
        )
        histogram.bucket_counts.extend([MAX, 1, 2])
        histogram.explicit_bounds.extend([float("nan")])
        exponential = metrics.add(name="exponential").exponential_histogram.data_points.add(
            time_unix_nano=time, scale=1000
        )
        exponential.positive.offset = 2147483647
        exponential.positive.bucket_counts.extend([MAX] * 5)
        summary = metrics.add(name="summary").summary.data_points.add(time_unix_nano=time, count=MAX)
        summary.quantile_values.add(quantile=float("nan"), value=float("inf"))
        many = metrics.add(name="many_labels").gauge.data_points.add(time_unix_nano=time, as_int=1)
        many.attributes.extend(attributes(**{f"k{n}": "v" for n in range(KEYS)}))
        yield name, message.SerializeToString().replace(NEVER, BROKEN)


def expositions() -> Iterator[Poison]:
    """Bad lines between good samples."""
    bad = {
        "values": b"a NaN\nb +Inf\nc -Inf\nd 1e400\ne -0\nf 0x10\ng one\n",
        "times": b"a 1 0\nb 1 -1\nc 1 99999999999999999999\nd 1 315532800000\ne 1 2082758400000\nf 1 x\n",
        "labels": b'a{k="'
        + b"v" * (1 << 20)
        + b'"} 1\nb{'
        + b",".join(b'k%d="v"' % n for n in range(KEYS))
        + b"} 1\n",
        "same_label_twice": b'a{k="1",k="2"} 1\n',
        "torn": b'a{k="1\nb{k=\nc{\nd\n{} 1\n{k="v"} 1\n1\n',
        "escapes": rb'a{k="\n\\\"\x"} 1' + b"\n",
        "broken_utf8": b'a{k="' + BROKEN + b'"} 1\n' + BROKEN + b" 1\n",
        "nuls": b'a{k="\0"} 1\n\0 1\n',
        "types": b"# TYPE a nonsense\n# TYPE\n# HELP\n#\n# EOF\na 1\n",
        "exemplars": b'a_total 1 # {trace_id="'
        + b"x" * 1000
        + b'"} NaN 99999999999999999999\nb_total 1 # {\n',
        "returns": b"a 1\r\nb 1\rc 1\r",
        "quoted_name": b'{"a.b","k"="v"} 1\n',
    }
    for name, text in bad.items():
        yield Poison(
            name, "/v1/exposition", b"good_before 1\n" + text + b"good_after 1\n", "text/plain; version=0.0.4"
        )


def breakers() -> Iterator[Poison]:
    """Transitions with odd values; what is malformed is refused whole."""
    odd = {
        "ten_years_ago": b'"at":"2016-01-01T00:00:00Z"',
        "in_ten_years": b'"at":"2036-01-01T00:00:00Z"',
        "epoch_0": b'"at":0',
        "epoch_negative": b'"at":-1e300',
        "epoch_enormous": b'"at":1e308',
        "epoch_text": b'"at":"99999999999999999999999999"',
        "numbers": b'"failure_rate":1e308,"slow_call_rate":-1,"calls":9223372036854775807,"not_permitted":-5',
        "too_large": b'"failure_rate":1e400,"calls":1e30',
        "reason": b'"reason":"' + b"r" * (1 << 20) + b'"',
        "surrogates": rb'"reason":"\ud800","target":"\u0000"',
        "broken_utf8": b'"reason":"' + BROKEN + b'"',
        "deep": b'"extra":' + b"[" * DEEP + b"]" * DEEP,
        "same_key_twice": b'"to":"closed","breaker":"other"',
    }
    for name, text in odd.items():
        body = b'{"breaker":"b-%s","to":"open",%s}' % (name.encode(), text)
        yield Poison(name, "/v1/breakers", body, "application/json")
    yield Poison(
        "many",
        "/v1/breakers",
        json.dumps([{"breaker": f"m{n}", "to": "open"} for n in range(KEYS)]).encode(),
        "application/json",
    )
