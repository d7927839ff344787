"""Syslog as senders really write it becomes rows of `logs`."""

from __future__ import annotations

from collector.journal.envelope import Head


def test_a_space_before_the_text_is_not_of_the_text(warehouse, now_ns) -> None:
    """In RFC 5424 rsyslog's template writes the space that stood behind the tag; JSON behind it is JSON."""
    messages = [
        b"<156>1 2026-11-27T14:01:55.707647+00:00 vm app 77 - -  it is full",
        b'<156>1 2026-11-27T14:01:55.707647+00:00 vm app 77 - -  {"msg":"in JSON","order":7}',
        b"<156>1 2026-11-27T14:01:55.707647+00:00 vm app 77 - - \xef\xbb\xbfwith a mark",
        b"<156>1 2026-11-27T14:01:55.707647+00:00 vm app 77 - -    indented",
        b"<156>1 2026-11-27T14:01:55.707647+00:00 vm app 77 - -",
    ]

    warehouse.load("syslog", (Head("b", now_ns), b"\0".join(messages)))

    rows = warehouse.rows("SELECT body, attributes['order'] AS told FROM logs ORDER BY line")
    assert [(row["body"], row["told"]) for row in rows] == [
        ("it is full", ""), ("in JSON", "7"), ("with a mark", ""), ("  indented", ""), ("", "")
    ]  # fmt: skip
