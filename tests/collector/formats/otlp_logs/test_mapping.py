from __future__ import annotations

import json

import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from collector.journal.envelope import Head
from tests.collector.formats.segments import any_value, pairs

RESOURCE = {"service.name": "checkout", "deployment.environment.name": "prod"}


def request(*records: dict, resource: dict | None = None, scope: dict | None = None) -> bytes:
    """Return a request of one scope with *records*; body and attributes are Python values."""
    message = ExportLogsServiceRequest()
    group = message.resource_logs.add()
    group.resource.attributes.extend(pairs(RESOURCE if resource is None else resource))
    scope_logs = group.scope_logs.add()
    if scope:
        scope_logs.scope.name, scope_logs.scope.version = scope["name"], scope["version"]
    for fields in records:
        plain = {key: value for key, value in fields.items() if key not in ("body", "attributes")}
        record = scope_logs.log_records.add(**plain)
        if "body" in fields:
            record.body.CopyFrom(any_value(fields["body"]))
        record.attributes.extend(pairs(fields.get("attributes", {})))
    return message.SerializeToString()


def test_a_record_becomes_a_row_with_its_identity(warehouse, now_ns):
    """Times, severity, ids, scope, resource and position all arrive where the contract says."""
    body = request(
        {"time_unix_nano": now_ns - 5, "severity_number": 17, "severity_text": "ERROR", "body": "boom", "event_name": "e",
         "trace_id": bytes(range(16)), "span_id": b"\0" * 8, "dropped_attributes_count": 2},
        {"body": "second"},
        scope={"name": "lib", "version": "1"},
    )  # fmt: skip

    warehouse.load(
        "otlp_logs", (Head("b1", now_ns, resource={"host.name": "h", "service.name": "declared"}), body)
    )

    first, second = warehouse.rows(
        "SELECT *, toUnixTimestamp64Nano(occurred_at) AS at, toUnixTimestamp64Nano(observed_at) AS seen FROM logs ORDER BY line"
    )
    assert (first["at"], first["seen"]) == (now_ns - 5, now_ns)
    assert (first["service"], first["env"], first["severity"], first["severity_number"]) == (
        "checkout",
        "prod",
        "error",
        17,
    )
    assert (first["trace_id"], first["span_id"]) == ("000102030405060708090a0b0c0d0e0f", "")
    assert first["resource"] == {"host.name": "h", **RESOURCE}
    assert first["attributes"] == {
        "event.name": "e", "otel.dropped_attributes_count": "2", "otel.scope.name": "lib", "otel.scope.version": "1",
    }  # fmt: skip
    assert (second["at"], second["line"], second["batch_id"], second["retention_days"]) == (
        now_ns,
        1,
        "b1",
        30,
    )


def test_every_kind_of_value_survives(warehouse, now_ns):
    """0, "", false, nothing, bytes, nested arrays and maps keep what they were, to any depth that is decoded."""
    tricky = 'quote " :_," brace {"is":5} ]},"m":{"v":[]} back\\slash /'
    attributes = {
        "zero": 0, "empty": "", "no": False, "yes": True, "tenth": 0.1, "huge": 2**63 - 1, "inf": float("inf"), "nothing": None,
        "bytes": b"\xff\0", "list": [], "map": {}, "mixed": [1, "a/b", [True, {"k": None}], {"z": b"\1\xff\n"}],
        "deep": {"a": {"b": {"c": 1.5}, "l": [1.5, tricky]}, "s": tricky, "n": None, "e": {}}, "tricky": [tricky, {tricky: tricky}],
    }  # fmt: skip

    warehouse.load("otlp_logs", (Head("b", now_ns), request({"attributes": attributes})))

    [row] = warehouse.rows("SELECT attributes FROM logs")
    found = row["attributes"]
    assert {key: found[key] for key in list(attributes)[:11]} == {
        "zero": "0", "empty": "", "no": "false", "yes": "true", "tenth": "0.1", "huge": "9223372036854775807", "inf": "inf",
        "nothing": "", "bytes": "/wA=", "list": "[]", "map": "{}",
    }  # fmt: skip
    assert json.loads(found["mixed"]) == [1, "a/b", [True, {"k": None}], {"z": "Af8K"}]
    assert (found["deep.a.b.c"], json.loads(found["deep.a.l"])) == ("1.5", [1.5, tricky])
    assert (found["deep.s"], found["deep.n"], found["deep.e"]) == (tricky, "", "{}")
    assert json.loads(found["tricky"]) == [tricky, {tricky: tricky}]


def test_what_lies_too_deep_stays_as_protobuf(warehouse, now_ns):
    """Below three levels of containers the client's own bytes are shown in hex under a marker: nothing is lost."""
    attributes = {"x": [[[[7]]]], "m": {"a": {"b": {"c": [7]}}}}
    warehouse.load(
        "otlp_logs", (Head("b", now_ns), request({"attributes": attributes}, resource={"r": [[7]]}))
    )

    [row] = warehouse.rows("SELECT attributes, resource['r'] AS r FROM logs")
    below = {"fuseboard.protobuf": "0a021807"}
    assert json.loads(row["attributes"]["x"]) == [[[below]]]
    assert json.loads(row["attributes"]["m.a.b.c"]) == below
    assert json.loads(row["r"]) == [below]


def test_a_map_as_body_is_json_and_attributes(warehouse, now_ns):
    """A structured body stays whole, and its keys can be searched; the record's own attributes win."""
    body = request(
        {"body": {"msg": "x", "n": {"q": [1]}, "own": 1}, "attributes": {"own": 2}},
        {"body": [1, {}]},
        {"body": 5},
    )

    warehouse.load("otlp_logs", (Head("b", now_ns), body))

    rows = warehouse.rows("SELECT body, attributes FROM logs ORDER BY line")
    assert [row["body"] for row in rows] == ['{"msg":"x","n":{"q":[1]},"own":1}', "[1,{}]", "5"]
    assert rows[0]["attributes"] == {"own": "2", "msg": "x", "n.q": "[1]"}


@pytest.mark.parametrize(
    ("number", "text", "severity", "stored", "kept"),
    [
        (1, "", "trace", 1, None), (12, "INFO", "info", 12, None), (0, "Warning", "warn", 13, "Warning"), (24, "", "fatal", 24, None),
        (0, "critical", "fatal", 21, "critical"), (0, "", "", 0, None), (99, "odd", "", 0, "odd"), (9, "Notice", "info", 9, "Notice"),
    ],
)  # fmt: skip
def test_severity_comes_from_the_number_and_else_the_text(
    warehouse, now_ns, number, text, severity, stored, kept
):
    """Names are the contract's six; a text that says more is kept."""
    record = ExportLogsServiceRequest()
    raw = record.resource_logs.add().scope_logs.add().log_records.add(severity_text=text)
    raw.severity_number = number

    warehouse.load("otlp_logs", (Head("b", now_ns), record.SerializeToString()))

    [row] = warehouse.rows("SELECT severity, severity_number, attributes FROM logs")
    assert (row["severity"], row["severity_number"], row["attributes"].get("severity_text")) == (
        severity,
        stored,
        kept,
    )


def test_a_time_outside_the_window_is_replaced_and_kept(warehouse, now_ns):
    """Too old and too far ahead become received_at, observed time stands in for a missing one."""
    times = [5, now_ns + 700 * 10**9, 2**64 - 1, now_ns + 500 * 10**9]
    body = request(*[{"time_unix_nano": time} for time in times], {"observed_time_unix_nano": now_ns - 1})

    warehouse.load("otlp_logs", (Head("b", now_ns), body))

    rows = warehouse.rows(
        "SELECT toUnixTimestamp64Nano(occurred_at) AS at, attributes['fuseboard.original_time'] AS was FROM logs ORDER BY line"
    )
    assert [row["at"] for row in rows] == [now_ns, now_ns, now_ns, times[3], now_ns - 1]
    assert [row["was"] for row in rows] == [str(time) for time in times[:3]] + ["", ""]


def test_a_key_cannot_write_as_another_service(warehouse, now_ns):
    """Service and environment a key may not write are replaced by its own, and the claim is kept."""
    head = Head("b", now_ns, services=("pay", "cart"), envs=("demo",))
    warehouse.load(
        "otlp_logs",
        (head, request({}, resource={**RESOURCE})),
        (head, request({}, resource={"service.name": "cart"})),
    )

    rows = warehouse.rows("SELECT service, env, resource FROM logs ORDER BY service DESC")
    assert [(row["service"], row["env"]) for row in rows] == [("pay", "demo"), ("cart", "demo")]
    assert rows[0]["resource"]["service.name"] == "pay"
    assert rows[0]["resource"]["fuseboard.service_overridden"] == "checkout"
    assert rows[0]["resource"]["fuseboard.env_overridden"] == "prod"


def test_the_stock_sdk_is_understood(warehouse, now_ns):
    """What the OpenTelemetry SDK's own encoder writes for logging arrives whole."""
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(resource=Resource({"service.name": "sdk"}), shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    from opentelemetry._logs import LogRecord, SeverityNumber

    provider.get_logger("lib", "2").emit(
        LogRecord(timestamp=now_ns, severity_number=SeverityNumber.WARN, body="hello", event_name="greeting",
                  attributes={"a": 0, "b": "", "c": False, "d": [1, 2], "e": {"f": {"g": 1}}})
    )  # fmt: skip
    body = encode_logs(exporter.get_finished_logs()).SerializeToString()

    warehouse.load("otlp_logs", (Head("b", now_ns), body))

    [row] = warehouse.rows("SELECT service, severity, body, attributes FROM logs")
    assert (row["service"], row["severity"], row["body"]) == ("sdk", "warn", "hello")
    assert row["attributes"] == {
        "a": "0", "b": "", "c": "false", "d": "[1,2]", "e.f.g": "1", "event.name": "greeting", "otel.scope.name": "lib", "otel.scope.version": "2",
    }  # fmt: skip


def test_a_segment_is_one_part_and_no_empty_record(warehouse, now_ns):
    """Batches without records load as nothing; many batches load as one block."""
    heads = [Head(f"b{n}", now_ns) for n in range(20)]
    warehouse.load(
        "otlp_logs",
        *[(head, request({"body": "x"}, {"body": "y"})) for head in heads],
        (Head("empty", now_ns), b""),
    )

    assert warehouse.rows(
        "SELECT count() AS n, uniqExact(_part) AS parts, uniqExact(batch_id) AS batches FROM logs"
    ) == [{"n": 40, "parts": 1, "batches": 20}]
