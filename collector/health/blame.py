"""Whose part of what was added is how large: time that requests took longer, and failures. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from collector.health.anomaly import Anomaly
from collector.health.suspect import Node, Suspect
from collector.read.minutes import EdgeKey, Minutes


def weigh(
    graph: Mapping[Node, Suspect],
    services: Mapping[Node, Minutes],
    edges: Mapping[EdgeKey, Minutes],
) -> None:
    """Share out what was added: time that requests took longer, and failures, by whose own they are."""
    added = {node: _added(it, services.get(node)) for node, it in graph.items()}
    for (caller, callee, env), edge in edges.items():
        node = (callee, env)
        found = graph[caller, env].toward.get(node, ())
        if graph[node].seen and found:
            late, failed = _cost(found, edge)
            old = added.get(node, (0.0, 0.0))
            added[node] = (old[0] + late, old[1] + failed)
    most = [max((each[part] for each in added.values()), default=0.0) for part in (0, 1)]
    for node, parts in added.items():
        shares = [part / whole for part, whole in zip(parts, most, strict=True) if whole > 0]
        # where requests are not known, as of metrics alone, everybody counts whole
        graph[node].weight = max(shares, default=0.0 if services else 1.0)


def _added(it: Suspect, minutes: Minutes | None) -> tuple[float, float]:
    return (
        _cost([each for each in it.own if each.kind in {"latency", "errors"}], minutes)
        if minutes is not None and minutes.calls
        else (0.0, 0.0)
    )


def _cost(found: Iterable[Anomaly], minutes: Minutes) -> tuple[float, float]:
    """Give milliseconds and failures a minute that anomalies add."""
    late = failed = 0.0
    for each in found:
        during = [calls for at, calls in minutes.calls.items() if at >= each.began_s]
        rate = sum(during) / max(len(during), 1)
        if each.kind == "latency":
            late += max(each.value - each.usual, 0.0) * rate
        else:
            failed += max(each.value - each.usual, 0.0) * rate
    return late, failed
