"""
Suspects: every service, and everything that services call, with what is abnormal of it. Pure: from `Known` to a graph.

What is called but sends nothing itself (a database, a queue, a host, a service that is gone) is judged by the calls to it: the more of its callers agree, the more.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from collector.health import resource_signs, signs
from collector.health.anomaly import MINUTE_S, Anomaly, Bounds, usual
from collector.query.window import SECOND_NS, parse_time
from collector.read.minutes import EdgeKey, Minutes
from collector.read.resources import Key, Told, Values
from collector.read.sql import Row
from collector.read.transitions import Transition

# A deploy this long before trouble began explains it.
DEPLOY_S = 900.0
# Traffic that stopped because callers stopped: below this share of their usual calls nobody tries any more.
TRIED_RATIO = 0.3
_POD = re.compile(r"(?:-[0-9a-f]{6,10})?-[a-z0-9]{5}$|-\d{1,3}$")

Node = tuple[str, str]  # name, env


@dataclass(frozen=True, slots=True)
class Known:
    """
    What was read of a window and of the time before it.

    Attributes:
        services: Minutes of requests and log records by service.
        edges: Minutes of calls by caller and callee.
        resources: Minutes of metrics.
        transitions: Of breakers.
        deploys: First sightings of versions.
        tails: Gives the p95 of services' requests minute by minute, ms; it is asked once, about those that are slow themselves.
    """

    services: Mapping[Node, Minutes]
    edges: Mapping[EdgeKey, Minutes]
    resources: Mapping[Told, Mapping[Key, Values]] = field(default_factory=dict)
    transitions: Sequence[Transition] = ()
    deploys: Sequence[Row] = ()
    tails: Callable[[Collection[Node]], Mapping[Node, Values]] = lambda _: {}


@dataclass(slots=True)
class Suspect:
    """
    One node of the graph.

    Attributes:
        own: Its own anomalies: what no call of its own explains.
        felt: What its callers see of it, whoever is to blame.
        heard: Whether it sends anything itself.
        toward: Node that it calls -> how abnormal these calls are, as it sees them.
        seen: How abnormal the calls to it are, where only those tell, 0 to 1.
        overrun: How much some caller's retries overrun it, 0 to 1: what is slow or busy of it is then theirs.
        weight: Its part of the system's added time and failures, 0 to 1.
        opened: Breakers that others opened on it.
        deploy: A version that began shortly before.
        began_ns: When its trouble began.
    """

    own: list[Anomaly] = field(default_factory=list)
    felt: list[Anomaly] = field(default_factory=list)
    heard: bool = False
    toward: dict[Node, list[Anomaly]] = field(default_factory=dict)
    seen: float = 0.0
    overrun: float = 0.0
    weight: float = 0.0
    opened: list[Transition] = field(default_factory=list)
    deploy: Row | None = None
    began_ns: int = 0

    @property
    def strength(self) -> float:
        """How abnormal it is, whoever is to blame, 0 to 1."""
        return together([*(each.score for each in (*self.own, *self.felt)), self.seen])

    @property
    def ill(self) -> bool:
        """Whether anything is abnormal of it."""
        return bool(self.own or self.felt or self.seen)


def suspects(known: Known, window: Bounds, until_s: int) -> dict[Node, Suspect]:
    """Give every node, those that are well among them."""
    graph: dict[Node, Suspect] = defaultdict(Suspect)
    services = _with_measured(known)
    out: dict[Node, list[Minutes]] = defaultdict(list)
    into: dict[Node, list[Minutes]] = defaultdict(list)
    for (caller, callee, env), edge in known.edges.items():
        out[caller, env] += [] if edge.queued else [edge]
        into[callee, env].append(edge)
    held = _held(known.transitions, until_s)
    for node, minutes in services.items():
        graph[node].heard = True
        graph[node].own = signs.served(minutes, out[node], window, until_s, held.get(node, ()))
        graph[node].felt = [
            each
            for each in (
                signs.errors(minutes.calls, minutes.failed, window),
                signs.slow(minutes.calls, minutes.spent_ms, window),
            )
            if each
        ]
    _tell_as_seen(graph, known, window)
    _judge_arrivals(graph, services, known.edges, window, until_s)
    _judge_resources(graph, known, window)
    _judge_calls(graph, services, known.edges, window)
    _weigh(graph, services, known.edges)
    _note_openings(graph, known.transitions, window)
    for it in graph.values():
        it.began_ns = min((each.began_s for each in it.own), default=0) * SECOND_NS
    for node, it in graph.items():
        if it.seen and not it.own:
            told = [each.began_s for other in graph.values() for each in other.toward.get(node, ())]
            it.began_ns = min(told, default=0) * SECOND_NS
    note_deploys(graph, known.deploys)
    return dict(graph)


def _tell_as_seen(graph: Mapping[Node, Suspect], known: Known, window: Bounds) -> None:
    """Tell who is slow itself in what people see: the p95 of its requests, where that rose too."""
    slow = [node for node, it in graph.items() if any(each.kind == "latency" for each in it.own)]
    told = {node: known.services[node].p95_ms for node in slow if node in known.services}
    for node, p95_ms in ({**told, **known.tails(slow)} if slow else {}).items():
        graph[node].own = [
            signs.as_seen(each, p95_ms, window) if each.kind == "latency" else each
            for each in graph[node].own
        ]


def _with_measured(known: Known) -> dict[Node, Minutes]:
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


def _held(transitions: Sequence[Transition], until_s: int) -> dict[Node, set[int]]:
    """Give the minutes in which some breaker of a service was not closed."""
    by_breaker: dict[tuple[str, str, str, str], list[Transition]] = defaultdict(list)
    for each in sorted(transitions, key=lambda each: each.at_ns):
        by_breaker[each.service, each.env, each.breaker, each.instance].append(each)
    held: dict[Node, set[int]] = defaultdict(set)
    for (service, env, _, _), changes in by_breaker.items():
        for change, following in zip(changes, [*changes[1:], None], strict=True):
            if change.to_state in {"open", "forced_open", "half_open"}:
                end_s = following.at_ns // SECOND_NS if following else until_s
                first = change.at_ns // SECOND_NS // MINUTE_S * MINUTE_S
                held[service, env].update(range(first, max(end_s, first) + 1, MINUTE_S))
    return held


def _judge_arrivals(
    graph: Mapping[Node, Suspect],
    services: Mapping[Node, Minutes],
    edges: Mapping[EdgeKey, Minutes],
    window: Bounds,
    until_s: int,
) -> None:
    """Tell services that are gone from those that nobody calls any more; find those that calls do not reach."""
    tried: dict[Node, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    sent: dict[Node, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    waited_for: dict[Node, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for (_, callee, env), edge in edges.items():
        node = (callee, env)
        _add(sent[node], edge.calls)
        if not edge.queued:
            _add(waited_for[node], edge.calls)
            tried[node] = waited_for[node]
    for (caller, callee, env), edge in edges.items():
        # who reads a queue is called by those that write to it
        if edge.queued and (caller, env) not in services:
            tried[callee, env] = sent[caller, env]
    for node in list(graph):
        it = graph[node]
        absent = next((each for each in it.own if each.kind == "gone"), None)
        if absent is not None and node in tried:
            middle, _ = usual(tried[node], window)
            during = [calls for at, calls in tried[node].items() if absent.began_s <= at < window[1]]
            expected = max((window[1] - absent.began_s) // MINUTE_S, 1)
            if sum(during) < TRIED_RATIO * middle * min(expected, len(during) + 3):
                it.own.remove(absent)
        direct = {at: waited_for[node].get(at, 0) for at in tried.get(node, ())}
        refused = (
            signs.unanswered(services[node].calls, direct, (window[0], min(window[1], until_s - MINUTE_S)))
            if any(direct.values()) and node in services
            else None
        )
        if refused is not None:
            it.own.append(refused)


def _judge_resources(graph: dict[Node, Suspect], known: Known, window: Bounds) -> None:
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
                _add(waiting[name, reported.env], values)
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
            _add(found[node][key], values)
    return found


def _add(sums: dict[int, float], values: Mapping[int, float]) -> None:
    if not sums:
        sums.update(values)
        return
    for at, value in values.items():
        sums[at] = sums.get(at, 0.0) + value


def _owner(told: Told, graph: Container[Node]) -> Node:
    """Give whose metrics these are: the container's service where it is known, else whoever reports them."""
    bare = _POD.sub("", told.owner)
    for name in (told.owner, bare, told.reporter):
        if name and (name, told.env) in graph:
            return name, told.env
    return bare or told.reporter, told.env


def _judge_calls(
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


def _weigh(
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


def _note_openings(graph: Mapping[Node, Suspect], transitions: Sequence[Transition], window: Bounds) -> None:
    for each in transitions:
        node = (each.target or each.breaker, each.env)
        if each.opens and each.at_ns >= window[0] * SECOND_NS and node in graph and node[0] != each.service:
            graph[node].opened.append(each)


def note_deploys(graph: Mapping[Node, Suspect], deploys: Sequence[Row]) -> None:
    """Note versions that began shortly before a suspect's trouble; a version that was there from the first is none."""
    first: dict[Node, int] = {}
    for row in deploys:
        node = (row["service"], row["env"])
        seen_ns = parse_time(row["first_seen"], "first_seen", 0)
        first[node] = min(first.get(node, seen_ns), seen_ns)
    for row in deploys:
        node = (row["service"], row["env"])
        it = graph.get(node)
        seen_ns = parse_time(row["first_seen"], "first_seen", 0)
        if (
            it is None
            or not it.own
            or (
                seen_ns == first[node]
                and sum(each["service"] == node[0] and each["env"] == node[1] for each in deploys) == 1
            )
        ):
            continue
        lead_s = (it.began_ns - seen_ns) / SECOND_NS
        if -2 * MINUTE_S <= lead_s <= DEPLOY_S and it.deploy is None:
            it.deploy = row


def together(scores: Iterable[float]) -> float:
    """Combine independent signs: 1 - product of what each leaves unexplained."""
    left = 1.0
    for score in scores:
        left *= 1 - min(max(score, 0.0), 1.0)
    return 1 - left


def callers_of(graph: Mapping[Node, Suspect], node: Node) -> Iterator[Node]:
    """Give whoever calls *node* abnormally."""
    return (caller for caller, it in graph.items() if node in it.toward)
