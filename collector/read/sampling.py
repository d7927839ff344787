"""
Sampling, stated: how many spans an answer rests on and how many calls they stand for.

A span's weight is 1 over the probability with which its trace was kept, as its tracestate or an attribute tells (store/schema/012_weights.sql); the
rollups add weights up beside counts. Without sampling both are the same and nothing changes.
"""

from __future__ import annotations

from collector.read.sql import Row


def sampling(spans: int, weighted: float) -> Row:
    """
    Return ``{sampled, sampling}``.

    Args:
        spans: How many there are.
        weighted: The calls that they stand for.

    Returns:
        *sampling* None where nothing was sampled, else ``{spans, calls, ratio}``: *calls* estimated, *ratio* the share that was kept, 0 to 1.
    """
    if weighted <= spans * (1 + 1e-9):
        return {"sampled": False, "sampling": None}
    kept = {"spans": spans, "calls": round(weighted), "ratio": round(spans / weighted, 6)}
    return {"sampled": True, "sampling": kept}


NOT_SAMPLED: Row = sampling(0, 0)
