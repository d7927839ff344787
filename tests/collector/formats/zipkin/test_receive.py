"""The promise to Zipkin clients."""

from __future__ import annotations

import pytest

from collector.errors import Malformed
from collector.formats.zipkin.receive import PROTOCOL


def test_spans_are_counted() -> None:
    """They carry their own times, so that the same bytes are a retry; an empty array is a success; 202 without a body."""
    judged = PROTOCOL.judge(
        b'[{"traceId":"1","id":"2","tags":{"a":"b"}},{"id":"3","traceId":"1","new":[]}]', {}
    )
    answer = PROTOCOL.respond(PROTOCOL.answer("b", 0, 0), duplicate=False)

    assert (judged.records, judged.timed, PROTOCOL.judge(b"[]", {}).records) == (2, True, 0)
    assert (answer.status, answer.body) == (202, b"")


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[", b"[7]", b'[{"id":"1"}]', b'[{"traceId":"1"}]', b'[{"traceId":"","id":"1"}]', b'[{"traceId":"1","id":"12345678901234567"}]', b'[{"traceId":"1","id":"1","x":"\xff"}]'],
)  # fmt: skip
def test_other_bytes_are_malformed(body: bytes) -> None:
    """The sentence says where."""
    with pytest.raises(Malformed) as refused:
        PROTOCOL.judge(body, {})

    assert refused.value.code == "bad_json"
