"""Severities: OpenTelemetry's six names, their number ranges, and how people spell them."""

from __future__ import annotations

# Source: OpenTelemetry logs data model, "Displaying Severity": four numbers per name.
RANGES = {
    "trace": (1, 4),
    "debug": (5, 8),
    "info": (9, 12),
    "warn": (13, 16),
    "error": (17, 20),
    "fatal": (21, 24),
}

_SPELLINGS = {
    "trace": "trace trc verbose finest finer all t",
    "debug": "debug dbg fine config d",
    "info": "info inf information informational notice log success i",
    "warn": "warn warning wrn w",
    "error": "error err severe eror failure e",
    "fatal": "fatal ftl critical crit alert emerg emergency panic dpanic f c",
}
_BY_SPELLING = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings.split()}


def severity_range(text: str) -> tuple[int, int] | None:
    """Give the lowest and highest severity number *text* stands for (a name in any spelling, or a number), or None."""
    lowered = text.strip().lower()
    if lowered.isdecimal() and 0 <= int(lowered) <= 24:
        return int(lowered), int(lowered)
    name = _BY_SPELLING.get(lowered)
    return None if name is None else RANGES[name]
