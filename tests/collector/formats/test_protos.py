"""Classes made of our own .proto texts read what the originals write."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from collector.formats.protos import message_class
from tests.collector.formats.segments import any_value, pairs

TEXT = """
// A comment; message Not { }
message Request { repeated Logs resource_logs = 1; }
message Logs { repeated Scope scope_logs = 2; }
message Scope { repeated Record log_records = 2; }
message Record { fixed64 time = 1; int32 severity = 2; string text = 3; Value body = 5; repeated Pair attributes = 6; uint32 dropped = 7; fixed32 flags = 8; bytes trace_id = 9; }
message Value { oneof is { string s = 1; bool b = 2; int64 i = 3; double d = 4; bytes y = 7; } }
message Pair { string k = 1; Value v = 2; }
"""


def test_a_text_becomes_a_class_that_is_equal_on_the_wire() -> None:
    """What OTLP's own class wrote is read and written again byte by byte, zero branches of a oneof included."""
    message = ExportLogsServiceRequest()
    record = message.resource_logs.add().scope_logs.add().log_records.add(
        time_unix_nano=5, severity_number=9, severity_text="x", trace_id=b"\1" * 16, flags=1, dropped_attributes_count=3
    )  # fmt: skip
    record.body.CopyFrom(any_value("hello"))
    record.attributes.extend(pairs({"a": 0, "b": False, "c": 1.5, "d": b"y", "e": ""}))
    body = message.SerializeToString(deterministic=True)

    read = message_class(TEXT, "Request", "test_protos").FromString(body)

    assert read.SerializeToString(deterministic=True) == body
    (found,) = read.resource_logs[0].scope_logs[0].log_records
    assert (found.time, found.body.s, found.attributes[0].v.WhichOneof("is")) == (5, "hello", "i")


def test_optional_fields_know_whether_they_were_set() -> None:
    """A zero that was sent is not nothing."""
    made = message_class(
        "message M { optional double sum = 1; oneof is { int32 a = 2; } }", "M", "test_optional"
    )

    assert [made.FromString(body).HasField("sum") for body in (b"", b"\x09" + bytes(8))] == [False, True]


@pytest.mark.parametrize(
    "text", ["enum E { A = 0; }", "message M { map<string, string> m = 1; }", "message M { int32 a 1; }"]
)
def test_what_is_not_understood_is_no_class(text: str) -> None:
    """A text beyond the subset fails at start, with the part that was not read."""
    with pytest.raises(ValueError, match="not understood"):
        message_class(text, "M", "test_wrong")
