"""The promise to remote_write 1.0 senders."""

from __future__ import annotations

import pytest

from collector.errors import Malformed, NoRoom
from collector.formats.remote_write.receive import PROTOCOL
from tests.collector.formats.write_requests import Request, add_series


def test_series_and_families_are_counted() -> None:
    """Series carry times, so that the same bytes are a retry; metadata alone does not."""
    request = Request()
    request.metadata.add(metric_family_name="up")
    alone = PROTOCOL.judge(request.SerializeToString(), {})
    add_series(request, "up").samples.add(value=1, timestamp=5)
    both = PROTOCOL.judge(request.SerializeToString(), {})

    assert (alone.records, alone.timed, both.records, both.timed) == (1, False, 2, True)
    assert PROTOCOL.judge(b"", {}).records == 0


@pytest.mark.parametrize("body", [b"\x0a\xff", b"\x08\x01", b"\x0a\x06\x0a\x04\x0a\x02\xff\xfe", b"{}"])
def test_other_bytes_are_malformed(body: bytes) -> None:
    """Cut-off, another message, a label that is not UTF-8."""
    with pytest.raises(Malformed) as refused:
        PROTOCOL.judge(body, {})

    assert refused.value.code == "bad_protobuf"


def test_answers_are_204_and_text() -> None:
    """A sender logs the first line of a refusal; later means 429 with when."""
    accepted = PROTOCOL.respond(PROTOCOL.answer("b1", 0, 0), duplicate=True)
    refused = PROTOCOL.refuse(NoRoom("journal_full", "later", retry_after_s=5))

    assert (accepted.status, accepted.body, accepted.headers["fuseboard-duplicate"]) == (204, b"", "true")
    assert (refused.status, refused.body, refused.headers["retry-after"]) == (
        429,
        b"journal_full: later\n",
        "5",
    )
