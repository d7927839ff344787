"""The headers that tell the collector whose bytes these are: ``k=v,k=v`` with percent-encoded values."""

from urllib.parse import quote


def pairs(values: dict[str, str]) -> str:
    """Write *values* in the syntax of OTEL_RESOURCE_ATTRIBUTES."""
    return ",".join(f"{quote(key, safe='')}={quote(value, safe='/:')}" for key, value in values.items())
