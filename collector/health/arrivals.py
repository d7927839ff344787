"""Calls and their arrival: services that are gone, calls that do not reach who they are for, calls that are abnormal; callees that only their callers tell of. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import add

from collector.health import signs
from collector.health.anomaly import MINUTE_S, Bounds, usual
from collector.health.suspect import Node, Suspect, together
from collector.read.minutes import EdgeKey, Minutes

# Traffic that stopped because callers stopped: below this share of their usual calls nobody tries any more.
TRIED_RATIO = 0.3
_NONE: Mapping[int, float] = {}


def judge_arrivals(
    graph: Mapping[Node, Suspect],
    services: Mapping[Node, Minutes],
    edges: Mapping[EdgeKey, Minutes],
    window: Bounds,
    until_s: int,
) -> None:
    """Tell services that are gone from those that nobody calls any more; find those that calls do not reach."""
    # who reads a queue is called by those that write to it
    read = {
        (callee, env): (caller, env)
        for (caller, callee, env), edge in edges.items()
        if edge.queued and (caller, env) not in services
    }
    queues = set(read.values())
    sent: dict[Node, list[Mapping[int, int]]] = defaultdict(list)
    waited: dict[Node, list[Mapping[int, int]]] = defaultdict(list)
    for (_, callee, env), edge in edges.items():
        node = (callee, env)
        if node in queues:
            sent[node].append(edge.calls)
        if not edge.queued and node in services:
            waited[node].append(edge.calls)
    waited_for = {node: _together(calls) for node, calls in waited.items()}
    tried = {**waited_for, **{reader: _together(sent[queue]) for reader, queue in read.items()}}
    for node in list(graph):
        it = graph[node]
        absent = next((each for each in it.own if each.kind == "gone"), None)
        if absent is not None and node in tried:
            middle, _ = usual(tried[node], window)
            during = [calls for at, calls in tried[node].items() if absent.began_s <= at < window[1]]
            expected = max((window[1] - absent.began_s) // MINUTE_S, 1)
            if sum(during) < TRIED_RATIO * middle * min(expected, len(during) + 3):
                it.own.remove(absent)
        arrived = waited_for.get(node, _NONE)
        direct = arrived if node not in read else {at: arrived.get(at, 0) for at in tried.get(node, ())}
        refused = (
            signs.unanswered(services[node].calls, direct, (window[0], min(window[1], until_s - MINUTE_S)))
            if any(direct.values()) and node in services
            else None
        )
        if refused is not None:
            it.own.append(refused)


def _together(calls: Sequence[Mapping[int, int]]) -> dict[int, float]:
    """Add up the calls of several edges, minute by minute."""
    minutes = list(calls[0]) if calls else []
    if all(list(each) == minutes for each in calls):
        # the usual case, and three times as fast
        return dict(
            zip(
                minutes,
                map(float, map(sum, zip(*(each.values() for each in calls), strict=True))),
                strict=True,
            )
        )
    sums: dict[int, float] = {}
    for each in calls:
        add_up(sums, each)
    return sums


def judge_calls(
    graph: dict[Node, Suspect],
    services: Mapping[Node, Minutes],
    edges: Mapping[EdgeKey, Minutes],
    window: Bounds,
) -> None:
    """Find abnormal calls; let callers speak for who does not speak."""
    against: dict[Node, list[tuple[float, float]]] = defaultdict(list)
    for (caller, callee, env), edge in edges.items():
        node = (callee, env)
        found = [
            each
            for each in (
                signs.errors(edge.calls, edge.failed, window),
                signs.slow(edge.calls, edge.spent_ms, window),
            )
            if each
        ]
        target = graph[node]
        if found and not edge.queued:
            graph[caller, env].toward[node] = found
        if edge.queued:
            continue
        against[node].append((together(each.score for each in found), float(sum(edge.calls.values()))))
        failing = next(
            (each for each in [*target.felt, *target.own] if each.kind in {"errors", "gone", "unanswered"}),
            None,
        )
        if target.heard and (caller, env) in services:
            given_up = signs.retries(edge, services[caller, env].calls, failing, window, callee)
            if given_up is not None:
                graph[caller, env].own.append(given_up)
                target.overrun = max(target.overrun, given_up.score)
    for node, told in against.items():
        it = graph[node]
        gone = any(each.kind in {"gone", "unanswered"} for each in it.own)
        if not it.heard or gone:
            every = sum(calls for _, calls in told)
            agreeing = sum(calls for score, calls in told if score) / every if every else 0.0
            it.seen = max(score for score, _ in told) * (0.25 + 0.75 * agreeing)


def add_up(sums: dict[int, float], values: Mapping[int, float]) -> None:
    """Add *values* to *sums*, minute by minute."""
    if list(sums) == list(values):
        # the usual case, and three times as fast
        sums.update(zip(values, map(add, sums.values(), values.values()), strict=True))
    else:
        sums.update({at: sums.get(at, 0.0) + value for at, value in values.items()})
