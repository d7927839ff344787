"""JSON requests become the rows that the same requests make as Protobuf."""

from __future__ import annotations

import json

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from collector.formats.otlp_logs_json.receive import PROTOCOL as LOGS
from collector.journal.envelope import Head
from tests.collector.formats.otlp_json import as_otlp_json
from tests.collector.formats.segments import any_value, pairs

COLUMNS = "SELECT * EXCEPT (batch_id) FROM logs ORDER BY line"


def request(now_ns: int) -> ExportLogsServiceRequest:
    """A request with two resources, two scopes and every kind of value."""
    message = ExportLogsServiceRequest()
    for service in ("checkout", ""):
        group = message.resource_logs.add()
        group.resource.attributes.extend(
            pairs({"service.name": service, "deployment.environment.name": "prod"})
        )
        for scope in ("lib", ""):
            scoped = group.scope_logs.add()
            scoped.scope.name = scope
            scoped.scope.attributes.extend(pairs({"a": 1} if scope else {}))
            first = scoped.log_records.add(
                time_unix_nano=now_ns - 7, severity_number=17, severity_text="ERROR", trace_id=bytes(range(16)), span_id=bytes(range(8)),
                event_name="happened", dropped_attributes_count=2,
            )  # fmt: skip
            first.body.CopyFrom(any_value('quote " back\\slash ] } , {"intValue":"1"} /'))
            first.attributes.extend(
                pairs(
                    {"zero": 0, "empty": "", "no": False, "yes": True, "tenth": 0.1, "huge": 2**63 - 1, "bytes": b"\xff\0",
                     "list": [1, "a/b", [True, {"k": None}]], "map": {"a": {"b": {"c": 1.5}}, "s": '"{'}}
                )
            )  # fmt: skip
            second = scoped.log_records.add(observed_time_unix_nano=now_ns - 5, severity_text="notice")
            second.body.CopyFrom(any_value({"message": "a map", "zero": 5, "in": {"x": [1, 2]}}))
            second.attributes.extend(pairs({"zero": 0}))
            scoped.log_records.add(time_unix_nano=1)
    return message


def test_a_request_makes_the_rows_it_makes_as_protobuf(warehouse, now_ns):
    """Times, severities, ids, bodies, attributes, resources and lines are equal, column by column."""
    message = request(now_ns)
    head = Head("b1", now_ns, resource={"host.name": "h"}, services=["checkout"], envs=["prod"])
    warehouse.load("otlp_logs", (head, message.SerializeToString()))
    wanted = warehouse.rows(COLUMNS)
    warehouse.empty()

    warehouse.load(
        "otlp_logs_json", (head, as_otlp_json(message)), (Head("b2", now_ns), b'{"resourceLogs":[]}')
    )

    found = warehouse.rows(COLUMNS)
    assert len(found) == 12
    assert found == wanted


def test_numbers_may_be_numbers_and_what_is_missing_is_missing(warehouse, now_ns):
    """64-bit numbers come as text or as numbers; empty objects, nulls and unknown keys are no trouble."""
    record = {
        "timeUnixNano": now_ns,
        "body": {"intValue": 7},
        "unknown": [1],
        "attributes": [{"key": "n", "value": {"intValue": -3}}, {"key": "none"}],
    }
    body = json.dumps(
        {"resourceLogs": [{"resource": None, "scopeLogs": [{"scope": {}, "logRecords": [record, {}]}]}]}
    )

    warehouse.load("otlp_logs_json", (Head("b", now_ns), body.encode()))

    first, second = warehouse.rows(COLUMNS)
    assert (first["body"], first["attributes"], first["service"]) == (
        "7",
        {"n": "-3", "none": ""},
        "unknown_service",
    )
    assert (second["body"], second["severity_number"], second["trace_id"]) == ("", 0, "")
    assert first["observed_at"] == first["occurred_at"]


def test_what_was_accepted_and_cannot_be_read_is_refused_aloud(warehouse, now_ns):
    """Where ClickHouse does not read what was accepted, the load fails, so the batch is set aside: it never becomes no rows."""
    body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"kept"},"x":1e999}]}]}]}'
    assert LOGS.judge(body, {}).records == 1

    with pytest.raises(RuntimeError, match="not JSON to ClickHouse"):
        warehouse.load("otlp_logs_json", (Head("b", now_ns), body))
