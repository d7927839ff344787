"""
Clocks of different machines differ: a call then seems to begin before it was made.

Where a span stands under one of another clock and lies outside it, it and what its clock wrote below are moved, so that causes come before effects: into
the middle of the parent, as if the way there and the way back took equally long; if it lasted longer than the parent (which did not wait), or is a
message taken from a queue, only so far that it does not begin before its parent.

Source: Jaeger's clock skew adjuster (jaegertracing/jaeger, model/adjuster); queues are our own exception to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from collector.read.span_tree import NOBODY, SpanTree
from collector.read.sql import Row


def skews_ns(spans: Sequence[Row], tree: SpanTree) -> list[int]:
    """
    Give how far each span is to be moved, ns, later being positive.

    Args:
        spans: ``{start_ns, duration_ns, service, kind, resource}``.
        tree: Who stands under whom.
    """
    skews = [0] * len(spans)
    for number in tree.order:
        parent = tree.parents[number]
        if parent == NOBODY:
            continue
        skews[number] = (
            skews[parent]
            if _same_clock(spans[number], spans[parent])
            else _skew_ns(spans[number], spans[parent], skews[parent])
        )
    return skews


def _same_clock(one: Row, other: Row) -> bool:
    hosts = [each["resource"].get("host.name", "") for each in (one, other)]
    if all(hosts):
        return len(set(hosts)) == 1
    return len({(each["service"], each["resource"].get("service.instance.id")) for each in (one, other)}) == 1


def _skew_ns(child: Row, parent: Row, parent_skew_ns: int) -> int:
    slack_ns: int = parent["duration_ns"] - child["duration_ns"]
    early_ns: int = parent["start_ns"] + parent_skew_ns - child["start_ns"]
    if slack_ns < 0 or child["kind"] == "consumer" or parent["kind"] == "producer":
        return max(0, early_ns)
    if early_ns <= 0 <= early_ns + slack_ns:
        return 0
    return early_ns + slack_ns // 2
