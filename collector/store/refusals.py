"""ClickHouse's error numbers: which of its refusals say "not now" rather than "not this"."""

from __future__ import annotations

from collector.errors import StoreError, StoreRejected, StoreUnavailable

MESSAGE_LIMIT = 600
"""Characters of its words that are kept."""
# ClickHouse error numbers that say "not now" rather than "not this": timeouts, memory, disk, connections, shutdown.
_TRANSIENT_CODES = frozenset(
    {
        3,
        74,
        75,
        76,
        159,
        160,
        164,
        173,
        202,
        203,
        209,
        210,
        236,
        241,
        242,
        243,
        252,
        279,
        319,
        373,
        425,
        473,
        733,
    }
)
# What the C++ library threw and ClickHouse did not expect.
_STD_EXCEPTION = 1001


def refused(code: int, said: str) -> StoreError:
    """
    Make the error of a statement.

    Args:
        code: ClickHouse's number; 0 = no answer came.
        said: Its words.
    """
    # a full or read-only disk below the engine's own checks
    disk = code == _STD_EXCEPTION and "filesystem error" in said
    if code == 0 or code in _TRANSIENT_CODES or disk:
        return StoreUnavailable(said[:MESSAGE_LIMIT], code)
    return StoreRejected(said[:MESSAGE_LIMIT], code)
