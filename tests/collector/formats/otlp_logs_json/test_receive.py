"""The promise to OTLP clients that send JSON, for all three signals."""

from __future__ import annotations

import json

import pytest

from collector.errors import Malformed, NoRoom
from collector.formats import otlp_json
from collector.formats.otlp_logs_json.receive import PROTOCOL as LOGS
from collector.formats.otlp_metrics_json.receive import PROTOCOL as METRICS
from collector.formats.otlp_traces_json.receive import PROTOCOL as TRACES

SHAPES = [
    (LOGS, "resourceLogs", "scopeLogs", "logRecords"),
    (TRACES, "resourceSpans", "scopeSpans", "spans"),
    (METRICS, "resourceMetrics", "scopeMetrics", "metrics"),
]


@pytest.mark.parametrize(("protocol", "resources", "scopes", "records"), SHAPES)
def test_records_are_counted(protocol, resources: str, scopes: str, records: str) -> None:
    """And carry their own times: a byte-identical body is a retry; nulls and unknown keys are no trouble."""
    ids = {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"}
    body = {
        resources: [
            {scopes: [{records: [ids, {"x": [1], **ids}]}, {records: None}]},
            {scopes: None},
            {"new": 1},
        ],
        "later": {},
    }

    judged = protocol.judge(json.dumps(body).encode(), {})

    assert judged.records == 2
    assert judged.timed


@pytest.mark.parametrize(("protocol", "resources", "scopes", "records"), SHAPES)
def test_an_empty_request_is_a_success(protocol, resources: str, scopes: str, records: str) -> None:
    """There was nothing to store, and the answer is an empty Export…ServiceResponse as JSON."""
    del scopes, records
    answer = protocol.respond(protocol.answer("b", 0, 0), duplicate=False)

    assert [
        protocol.judge(body, {}).records for body in (b"{}", b" {} ", f'{{"{resources}":[]}}'.encode())
    ] == [0, 0, 0]
    assert (answer.status, answer.body, answer.content_type) == (200, b"{}", "application/json")


@pytest.mark.parametrize(("protocol", "resources", "scopes", "records"), SHAPES)
def test_other_bytes_are_malformed(protocol, resources: str, scopes: str, records: str) -> None:
    """Neither cut-off JSON, nor another object, nor records that are none; the sentence says where."""
    wrong = [
        b"", b"[]", b"{", b"\x0a\x00", b'{"other":1}', b'{"%s":[]}{' % resources.encode(), b'{"%s":5}' % resources.encode(),
        json.dumps({resources: [{scopes: [{records: [7]}]}]}).encode(), b'{"%s":%s' % (resources.encode(), b"[" * 100_000),
        b'{"%s":[],"later":"\xff"}' % resources.encode(),
    ]  # fmt: skip

    for body in wrong:
        with pytest.raises(Malformed) as refused:
            protocol.judge(body, {})
        assert refused.value.code == "bad_json"


def test_an_error_is_a_status_as_json() -> None:
    """With the RPC code, our code before the sentence, and when to come back."""
    response = otlp_json.refuse(NoRoom("journal_full", "later", retry_after_s=5))

    assert json.loads(response.body) == {"code": 8, "message": "journal_full: later"}
    assert (response.status, response.content_type, response.headers["retry-after"]) == (
        429,
        "application/json",
        "5",
    )
