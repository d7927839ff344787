"""
Answers of bounded length.

An assistant pays for each character and loses sight of the rest: long texts and lists are cut, then rows left out, and the answer says what is missing, so
that it can ask more narrowly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from collector.terminal.plain import json_line

_TEXT_CHARS = 1000
# Lists within a row (spans of a trace, points of a series), tried from the longest until the row fits.
_ITEMS = (500, 200, 100, 50, 20, 10, 5, 2)
# Room for what is said besides the rows.
_HEAD_CHARS = 400
LEAST_CHARS = 2000


def written(
    rows: Sequence[Mapping[str, Any]], most_chars: int, cursor: str = "", warnings: Sequence[str] = ()
) -> str:
    """
    Return *rows* as JSON: ``{"rows": […], "left_out": n, "next_cursor": …, "warnings": […]}``; what is empty is not there.

    Args:
        rows: Of the API.
        most_chars: Of the whole text, not less than `LEAST_CHARS`.
        cursor: Of the next page.
        warnings: What the API says besides.
    """
    said = [text[:_TEXT_CHARS] for text in warnings][:5]
    left = most_chars - _HEAD_CHARS - sum(map(len, said)) - len(cursor)
    kept: list[str] = []
    for row in rows:
        text = _fitting(row, left if not kept else min(left, most_chars // 2))
        if len(text) + 1 > left:
            break
        kept.append(text)
        left -= len(text) + 1
    parts = [f'"rows":[{",".join(kept)}]']
    if len(kept) < len(rows):
        parts.append(f'"left_out":{len(rows) - len(kept)},"why":"the answer would be longer than {most_chars} characters; ask more narrowly"')  # fmt: skip
    elif cursor:
        parts.append(f'"next_cursor":{json_line(cursor)}')
    if said:
        parts.append(f'"warnings":{json_line(said)}')
    return "{" + ",".join(parts) + "}"


def _fitting(row: Mapping[str, Any], most_chars: int) -> str:
    """Return *row* as JSON, its lists as long as the room allows."""
    text = ""
    for items in _ITEMS:
        text = json_line(_cut(row, items))
        if len(text) < most_chars:
            return text
    return text


def _cut(value: Any, items: int) -> Any:
    if isinstance(value, str) and len(value) > _TEXT_CHARS:
        return f"{value[:_TEXT_CHARS]}… ({len(value) - _TEXT_CHARS} characters more)"
    if isinstance(value, Mapping):
        kept = {str(name)[:_TEXT_CHARS]: _cut(each, items) for name, each in list(value.items())[:items]}
        return kept if len(value) <= items else {**kept, "…": f"{len(value) - items} more"}
    if isinstance(value, list | tuple):
        kept_items = [_cut(each, items) for each in value[:items]]
        return kept_items if len(value) <= items else [*kept_items, f"… {len(value) - items} more"]
    return value
