"""The fields of a catalogue entry, and what they may be."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from collector.errors import Malformed

# Field -> whether it is a link.
FIELDS: Mapping[str, bool] = {
    "owner": False,
    "team": False,
    "tier": False,
    "description": False,
    "runbook": True,
    "docs": True,
    "openapi": True,
    "repo": True,
    "receiver": False,
    "slo": False,
}
VALUE_CHARS = 2000
SERVICE_CHARS = 200


def read_entry(fields: Mapping[str, object], where: str) -> dict[str, str]:
    """
    Check the *fields* of one service; empty ones are left out.

    Args:
        fields: As parsed from YAML or JSON.
        where: For the error: ``services.checkout``, or the service.

    Raises:
        Malformed: ``bad_catalogue``: an unknown field, a value that is no text, or no link where one is wanted.
    """
    entry = {}
    for name, value in fields.items():
        if name not in FIELDS:
            raise _bad(f"{where}.{name}: no such field; there are {', '.join(FIELDS)}", name)
        text = _text(value, f"{where}.{name}", name)
        if text and FIELDS[name] and not is_link(text):
            raise _bad(f"{where}.{name}: {text[:100]!r} is no http or https address", name)
        if text:
            entry[name] = text
    return entry


def is_link(text: str) -> bool:
    """Whether *text* is an address that a page may link to."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(c.isspace() for c in text)


def _text(value: object, where: str, param: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _bad(f"{where}: {str(value)[:100]!r} is no text", param)
    text = str(value).strip()
    if len(text) > VALUE_CHARS:
        raise _bad(f"{where}: {len(text)} characters, at most {VALUE_CHARS}", param)
    return text


def _bad(message: str, param: str) -> Malformed:
    return Malformed("bad_catalogue", message, param)
