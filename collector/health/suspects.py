"""
Suspects: every service, and everything that services call, with what is abnormal of it. Pure: from `Known` to a graph.

What is called but sends nothing itself (a database, a queue, a host, a service that is gone) is judged by the calls to it: the more of its callers agree, the more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from collector.health import signs
from collector.health.anomaly import Bounds
from collector.health.arrivals import add_up, judge_arrivals, judge_calls
from collector.health.blame import weigh
from collector.health.by_metrics import judge_resources, with_measured
from collector.health.changes import held_minutes, note_deploys, note_openings
from collector.health.suspect import Known, Node, Suspect
from collector.query.window import SECOND_NS
from collector.read.minutes import Minutes


def suspects(known: Known, window: Bounds, until_s: int) -> dict[Node, Suspect]:
    """Give every node, those that are well among them."""
    graph: dict[Node, Suspect] = defaultdict(Suspect)
    services = with_measured(known)
    waited = known.waited if known.waited is not None else _waited(known)
    held = held_minutes(known.transitions, until_s)
    for node, minutes in services.items():
        graph[node].heard = True
        graph[node].own = signs.served(
            minutes, waited.get(node, Minutes()), window, until_s, held.get(node, ())
        )
        graph[node].felt = [
            each
            for each in (
                signs.errors(minutes.calls, minutes.failed, window),
                signs.slow(minutes.calls, minutes.spent_ms, window),
            )
            if each
        ]
    _tell_as_seen(graph, known, window)
    judge_arrivals(graph, services, known.edges, window, until_s)
    judge_resources(graph, known, window)
    judge_calls(graph, services, known.edges, window)
    weigh(graph, services, known.edges)
    note_openings(graph, known.transitions, window)
    for it in graph.values():
        it.began_ns = min((each.began_s for each in it.own), default=0) * SECOND_NS
    for node, it in graph.items():
        if it.seen and not it.own:
            told = [each.began_s for other in graph.values() for each in other.toward.get(node, ())]
            it.began_ns = min(told, default=0) * SECOND_NS
    note_deploys(graph, known.deploys)
    return dict(graph)


def _waited(known: Known) -> dict[Node, Minutes]:
    """Add up what each caller waits for."""
    found: dict[Node, Minutes] = defaultdict(Minutes)
    for (caller, _, env), edge in known.edges.items():
        if not edge.queued:
            its = found[caller, env]
            add_up(its.spent_ms, edge.spent_ms)
            for at, failed in edge.failed.items():
                its.failed[at] = its.failed.get(at, 0) + failed
    return found


def _tell_as_seen(graph: Mapping[Node, Suspect], known: Known, window: Bounds) -> None:
    """Tell who is slow itself in what people see: the p95 of its requests, where that rose too."""
    slow = [node for node, it in graph.items() if any(each.kind == "latency" for each in it.own)]
    told = {node: known.services[node].p95_ms for node in slow if node in known.services}
    for node, p95_ms in ({**told, **known.tails(slow)} if slow else {}).items():
        graph[node].own = [
            signs.as_seen(each, p95_ms, window) if each.kind == "latency" else each
            for each in graph[node].own
        ]
