"""Headers that describe a block: what they mean, and the sentence for what they cannot mean."""

from __future__ import annotations

import pytest

from collector.errors import Malformed
from collector.receive.headers import pairs, time_ns


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", {}),
        ("service.name=checkout,service.version=1.4", {"service.name": "checkout", "service.version": "1.4"}),
        (" service.name = checkout , ", {"service.name": "checkout"}),
        ("path=/var/log/a%2Cb%3D%20c.log", {"path": "/var/log/a,b= c.log"}),
        ("team=caf%C3%A9", {"team": "café"}),
        ("a=", {"a": ""}),
        ("a=b=c", {"a": "b=c"}),
        ("a=1,a=2", {"a": "2"}),
    ],
)
def test_pairs_are_read(value: str, expected: dict[str, str]) -> None:
    """The syntax of OTEL_RESOURCE_ATTRIBUTES."""
    assert pairs(value, "Fuseboard-Resource") == expected


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("service.name", "'service.name' is not key=value"),
        ("a=1,=x", "'=x' is not key=value"),
        ("a=%FF", "'%FF' is not percent-encoded UTF-8"),
        (",".join(f"k{n}=v" for n in range(129)), "more than 128 pairs"),
        ("a=" + "x" * 4096, "4096 characters in one"),
    ],
)
def test_wrong_pairs_are_quoted(value: str, quoted: str) -> None:
    """400 ``bad_header``, naming the header and quoting the part."""
    with pytest.raises(Malformed, match=f"Fuseboard-Resource: .*{quoted}") as refused:
        pairs(value, "Fuseboard-Resource")

    assert (refused.value.code, refused.value.param) == ("bad_header", "Fuseboard-Resource")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-22T21:30:00Z", 1_795_383_000_000_000_000),
        ("2026-11-22T22:30:00.123456789+01:00", 1_795_383_000_123_456_789),
        ("2026-11-22T21:30:00.5", 1_795_383_000_500_000_000),
        ("1960-01-01T00:00:00Z", 0),
    ],
)
def test_times_keep_their_nanoseconds(value: str, expected: int) -> None:
    """RFC 3339 to epoch nanoseconds; no zone is UTC, nothing is before the epoch."""
    assert time_ns(value, "Fuseboard-Scraped-At") == expected


@pytest.mark.parametrize("value", ["yesterday", "1.5", "2026-13-01T00:00:00Z", "2026-11-22T25:00:00Z"])
def test_wrong_times_are_quoted(value: str) -> None:
    """400 ``bad_header`` with the value."""
    with pytest.raises(Malformed, match=f"Fuseboard-Scraped-At: '{value}' is not an RFC 3339 time"):
        time_ns(value, "Fuseboard-Scraped-At")
