"""What metrics say of suspects: whose they are, what is abnormal of them, who reads a queue that grows. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Mapping

from collector.health import resource_signs
from collector.health.anomaly import Bounds
from collector.health.arrivals import add_up
from collector.health.suspect import Known, Node, Suspect
from collector.read.minutes import Minutes
from collector.read.resources import Key, Told, Values

_POD = re.compile(r"(?:-[0-9a-f]{6,10})?-[a-z0-9]{5}$|-\d{1,3}$")


def with_measured(known: Known) -> dict[Node, Minutes]:
    """Give the services with those added whose requests only metrics count."""
    services = dict(known.services)
    for told, values in known.resources.items():
        requests = values.get(("requests", ""))
        node = (told.reporter, told.env)
        if not requests or not told.reporter or services.get(node, Minutes()).calls:
            continue
        spent = values.get(("request_ms", "")) or {
            at: value * 1000 for at, value in values.get(("request_s", ""), {}).items()
        }
        kept = services.get(node, Minutes())
        services[node] = Minutes(
            calls={at: round(count) for at, count in requests.items()},
            failed={at: round(count) for at, count in values.get(("requests_failed", ""), {}).items()} or dict.fromkeys(requests, 0),
            spent_ms=dict(spent), records=kept.records, severe=kept.severe,
        )  # fmt: skip
    return services


def judge_resources(graph: dict[Node, Suspect], known: Known, window: Bounds) -> None:
    """Give suspects the signs of their metrics; whoever reports whole quantities is heard."""
    for node, told in by_owner(graph, known.resources).items():
        plain = {key: values for key, values in told.items() if key[0] != "queue"}
        found = resource_signs.found(plain, window)
        if found or any(role.startswith("column_") for role, _ in plain):
            graph[node].heard = True
            graph[node].own += found
            graph[node].felt += [each for each in found if each.kind in {"errors", "latency"}]
    _judge_queues(graph, known, window)


def _judge_queues(graph: dict[Node, Suspect], known: Known, window: Bounds) -> None:
    """Hold who reads a queue to account for what waits in it."""
    readers: dict[Node, set[Node]] = defaultdict(set)
    for (caller, callee, env), edge in known.edges.items():
        if edge.queued and graph[callee, env].heard:
            readers[caller, env].add((callee, env))
    waiting: dict[Node, dict[int, float]] = defaultdict(dict)
    for reported, quantities in known.resources.items():
        for (role, name), values in quantities.items():
            if role == "queue":
                add_up(waiting[name, reported.env], values)
    for queue, values in waiting.items():
        sign = resource_signs.queue(values, window, queue[0])
        if sign is None:
            continue
        for reader in readers.get(queue, {queue}):
            graph[reader].own.append(sign)
            graph[reader].heard |= True


def by_owner(
    graph: Container[Node], resources: Mapping[Told, Mapping[Key, Values]]
) -> dict[Node, dict[Key, dict[int, float]]]:
    """Give the quantities of each service: whose they are is said by labels, or by who reports them."""
    found: dict[Node, dict[Key, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for reported, quantities in resources.items():
        node = _owner(reported, graph)
        for key, values in quantities.items():
            add_up(found[node][key], values)
    return found


def _owner(told: Told, graph: Container[Node]) -> Node:
    """Give whose metrics these are: the container's service where it is known, else whoever reports them."""
    bare = _POD.sub("", told.owner)
    for name in (told.owner, bare, told.reporter):
        if name and (name, told.env) in graph:
            return name, told.env
    return bare or told.reporter, told.env
