"""The promise to an agent that reports."""

from __future__ import annotations

import pytest

from collector.errors import Malformed
from collector.formats.reports.receive import judge


def test_a_report_is_taken_whatever_else_it_says() -> None:
    """A newer agent's further fields are no mistake."""
    assert (
        judge(
            b'{"agent":"a","at":"2026-11-22T21:30:00Z","sequence":1,"counters":[{"x":1}],"new":2}', {}
        ).records
        == 1
    )


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        (b"", "empty_body", "empty"),
        (b"{", "bad_report", "not an agent's report"),
        (b"[]", "bad_report", "not an agent's report"),
        (b"\xff", "bad_report", "not an agent's report"),
        (b'{"agent":"a","at":"x","counters":[]}', "bad_report", "sequence"),
        (b'{"agent":"","at":"x","sequence":1,"counters":[]}', "bad_report", "'agent' is empty"),
        (b'{"agent":"a","at":"x","sequence":1,"counters":{}}', "bad_report", "counters"),
    ],
)
def test_a_wrong_report_names_the_field(body: bytes, code: str, named: str) -> None:
    """400 with what is missing."""
    with pytest.raises(Malformed, match=named) as refused:
        judge(body, {})

    assert refused.value.code == code
