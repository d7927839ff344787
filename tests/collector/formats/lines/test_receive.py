"""The promise to a client that posts lines."""

from __future__ import annotations

import pytest

from collector.errors import Malformed
from collector.formats.lines.receive import judge


@pytest.mark.parametrize(
    ("body", "lines"),
    [(b"a", 1), (b"a\n", 1), (b"a\nb", 2), (b"a\nb\n", 2), (b"a\n\nb\n", 3), (b"\xff\x00\r\n", 1)],
)
def test_lines_are_counted(body: bytes, lines: int) -> None:
    """A last line needs no newline; any bytes are lines."""
    assert judge(body, {}).records == lines
    assert not judge(body, {}).timed


@pytest.mark.parametrize("body", [b"", b"\n", b"\r\n\r\n"])
def test_no_line_is_malformed(body: bytes) -> None:
    """An empty body is a client's mistake, and it is told so."""
    with pytest.raises(Malformed) as refused:
        judge(body, {})

    assert refused.value.code == "empty_body"


@pytest.mark.parametrize("name", [b"", b"JSON", b" logfmt ", b"cri", b"docker", b"text", b"detect"])
def test_known_formats_are_taken(name: bytes) -> None:
    """In any case."""
    assert judge(b"a", {b"fuseboard-format": name}).records == 1


def test_an_unknown_format_is_quoted() -> None:
    """With the list of those there are."""
    with pytest.raises(
        Malformed,
        match="Fuseboard-Format: 'morse' is not one of access, cri, detect, docker, json, logfmt, syslog, text",
    ):
        judge(b"a", {b"fuseboard-format": b"morse"})
