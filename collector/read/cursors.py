"""Opaque cursors: where a page ended, and the window and order it belongs to."""

from __future__ import annotations

import base64
import binascii
import json

from collector.errors import QueryError


def write_cursor(*parts: object) -> str:
    """Pack *parts* (numbers and texts) into URL-safe text."""
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(text: str, *types: type) -> list[object]:
    """
    Unpack what `write_cursor` made.

    Raises:
        QueryError: 400 ``bad_cursor``: it is not one of ours, or of another list.
    """
    try:
        parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError) as error:
        raise bad_cursor(text) from error
    if not isinstance(parts, list) or [type(part) for part in parts] != list(types):
        raise bad_cursor(text)
    return parts


def bad_cursor(text: str) -> QueryError:
    """Make the error for a cursor that is not one of the list it was sent to."""
    return QueryError(
        "bad_cursor", f"cursor={text!r} is not a next_cursor of this list; start again without it", "cursor"
    )
