"""The headers that tell the collector whose bytes these are: ``k=v,k=v`` with percent-encoded values."""

from urllib.parse import quote

from agents.frame import FrameHead


def pairs(values: dict[str, str]) -> str:
    """Write *values* in the syntax of OTEL_RESOURCE_ATTRIBUTES."""
    return ",".join(f"{quote(key, safe='')}={quote(value, safe='/:')}" for key, value in values.items())


def headers_of(head: FrameHead) -> dict[str, str]:
    """
    Say what the request holds.

    The spool's sequence number joins ``Fuseboard-Source``: a report counts through one, so the ledger can tell for any
    range which of the blocks counted in it are stored.
    """
    source = f"{head.headers['Fuseboard-Source']},sequence={head.sequence}"
    return head.headers | {
        "Fuseboard-Source": source,
        "Content-Encoding": "zstd",
        "Idempotency-Key": head.key,
    }
