"""The promise to a client that posts an exposition."""

from __future__ import annotations

import pytest

from collector.errors import Malformed
from collector.formats.exposition.receive import judge


@pytest.mark.parametrize(
    "body",
    [b"up 1\n", b'# TYPE a counter\na_total{b="c}d"} 1 # {x="y"} 1\n', b"# EOF\n", b"a:b{} NaN 1795383000"],
)
def test_an_exposition_is_taken(body: bytes) -> None:
    """Prometheus text or OpenMetrics; one of nothing but comments too."""
    assert judge(body, {}).records >= 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty_body"),
        (b" \n", "empty_body"),
        (b"<html>", "bad_exposition"),
        (b'{"a":1}', "bad_exposition"),
    ],
)
def test_something_else_is_malformed(body: bytes, code: str) -> None:
    """Quoting how it begins."""
    with pytest.raises(Malformed) as refused:
        judge(body, {})

    assert refused.value.code == code


def test_the_one_format_is_stale() -> None:
    """Another ``Fuseboard-Format`` names itself in the refusal."""
    assert judge(b"up 1\n", {b"fuseboard-format": b"stale"}).records == 1

    with pytest.raises(Malformed, match="'morse' is not stale"):
        judge(b"up 1\n", {b"fuseboard-format": b"morse"})
