"""Spans as the reader gets them from the engine, for what is computed over them."""

from typing import Any

MS = 1_000_000
ERA = 1_795_000_000 * 10**9


def span(
    span_id: str, parent: str = "", start_ms: float = 0, ms: float = 10, **fields: Any
) -> dict[str, Any]:
    """Give a span of service s, *start_ms* after the trace began."""
    row = {
        "span_id": span_id,
        "parent_span_id": parent,
        "service": "s",
        "kind": "internal",
        "resource": {},
        "start_ns": ERA + round(start_ms * MS),
        "duration_ns": round(ms * MS),
    }
    return {**row, **fields}
