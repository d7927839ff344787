"""
Probable causes: where trouble began, ranked, with the evidence and the way from whoever feels it.

Suspects (suspects.py) make a graph by the calls between them that are abnormal. A suspect is a likely cause when it has signs of its own, its part of the time and the
failures that were added is large, whoever is in trouble can reach it along abnormal calls, and its trouble began first. docs/health.md says how the score is made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from collector.health import anomaly, signs
from collector.health.anomaly import MINUTE_S
from collector.health.changes import note_deploys
from collector.health.evidence import evidence
from collector.health.facts import PASS_NS
from collector.health.suspect import Known, Node, Suspect, callers_of, together
from collector.health.suspects import suspects
from collector.query.window import SECOND_NS, Window, rfc_3339
from collector.read import call_minutes as call_reads
from collector.read import minutes as minute_reads
from collector.read import resources
from collector.read.deploys import deploys
from collector.read.sql import Reader, Row
from collector.read.transitions import Chosen, transitions

BASELINE_S = 3600
# Of equally abnormal services the one that began first is the likelier; after this long the order says nothing more.
EARLIER_S, EARLIER = 180.0, 0.25
# Who began first is asked of those that are at least so strong, of the strongest's strength.
_STRONG = 0.5
# What is worth a page: below this nobody need look.
LEAST_SCORE = 0.12
CAUSES_MOST = 20
# The first failing or slow span is looked for of so many.
SIGNS_OF = 6
_UNREACHED = 0.15
# Breakers that others opened on it, a deploy shortly before, say something where there is a sign of its own.
_OPENED, _DEPLOYED = 0.25, 0.3
# What says less when something that it calls is ill: errors in logs, pools that wait for an answer.
_SOFT = frozenset({"log_errors", "saturation"})
_SOFTENED = 0.85
# What a storm of retries does to whom it hits.
_OVERRUN, _BORNE = frozenset({"latency", "cpu", "throttling", "saturation"}), 0.8
# A part of what was added that is small takes so much off.
_LIGHT = 0.45
_WEIGHED = frozenset({"latency", "errors"})


def causes(reader: Reader, window: Window, env: str, service: str = "") -> list[Row]:
    """
    Return the probable causes of trouble in *window*, the likeliest first.

    Args:
        reader: The store.
        window: Where trouble is looked for; the hour before it is what is usual.
        env: "" = every one.
        service: Whose trouble; "" = anybody's.

    Returns:
        ``{service, env, kind, score, began, evidence, path}``: *score* 0 to 1; *path* from who feels it to the cause; empty where all is as usual.
        Of one pass of a quarter of a minute, as the board's signs: both go by whole minutes, and a page that refreshes asks again and again.
    """
    passes = (window.start_ns // PASS_NS, min(window.end_ns, window.now_ns) // PASS_NS)
    found: list[Row] = reader.once(
        ("causes", *passes, env, service), lambda: _causes(reader, window, env, service), lasting=True
    )
    return found


def _causes(reader: Reader, window: Window, env: str, service: str) -> list[Row]:
    known = _read(reader, window, env)
    graph = suspects(known, *bounds(window))
    first = rank(graph, service)[:SIGNS_OF]
    if first:
        _note_beginnings(graph, reader, window, [node for node, _ in first])
        note_deploys(graph, known.deploys)
    feeling = _feeling(graph, service)
    return [
        _row(node, graph[node], score, _path(graph, feeling, node))
        for node, score in rank(graph, service)[:CAUSES_MOST]
        if score >= LEAST_SCORE
    ]


def bounds(window: Window) -> tuple[tuple[int, int], int]:
    """Give the window in whole minutes, seconds since the epoch, and up to where data are complete."""
    inside = (window.start_ns // SECOND_NS // MINUTE_S * MINUTE_S, -(-window.end_ns // SECOND_NS))
    return inside, min(window.end_ns, window.now_ns) // SECOND_NS // MINUTE_S * MINUTE_S


def _read(reader: Reader, window: Window, env: str) -> Known:
    long = Window(max(window.start_ns - BASELINE_S * SECOND_NS, 0), window.end_ns, window.now_ns)
    edges, told, services, waited, changes, versions = reader.together(
        lambda its: call_reads.edges(its, long, env, screen(window)),
        lambda its: resources.minutes(its, long, env, judged=window),
        lambda its: minute_reads.services(its, long, env),
        lambda its: call_reads.waited(its, long, env),
        lambda its: transitions(its, long, Chosen(env=env)),
        lambda its: deploys(its, long, env, "", 1000),
    )
    return Known(
        services, edges, told, changes, versions, lambda slow: minute_reads.tails(reader, long, slow), waited
    )


def screen(window: Window) -> call_reads.Screen:
    """Give what signs.py asks of calls, so that most need not be looked at."""
    return call_reads.Screen(
        bounds(window)[0][0], signs.ERROR_RATIO, signs.ERROR_CALLS, signs.SLOW_FACTOR, signs.SLOW_MS, anomaly.MADS, anomaly.MAD_SIGMA,
        anomaly.MIN_CALLS, anomaly.POOLED_CALLS, anomaly.MIN_BASELINE,
    )  # fmt: skip


def rank(graph: Mapping[Node, Suspect], service: str = "") -> list[tuple[Node, float]]:
    """Give the suspects with their scores, the likeliest first."""
    feeling = _feeling(graph, service)
    strongest = max((it.strength for it in graph.values()), default=0.0)
    first_ns = min(
        (it.began_ns for it in graph.values() if it.began_ns and it.strength >= _STRONG * strongest),
        default=0,
    )
    scores = {
        node: round(_score(graph, node, feeling, first_ns, asked=bool(service)), 4)
        for node, it in graph.items()
        if it.own or it.seen
    }
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def _feeling(graph: Mapping[Node, Suspect], service: str) -> set[Node]:
    return {node for node, it in graph.items() if it.ill and (not service or node[0] == service)}


def _score(
    graph: Mapping[Node, Suspect], node: Node, feeling: set[Node], first_ns: int, *, asked: bool
) -> float:
    it = graph[node]
    behind = max((together(each.score for each in found) for found in it.toward.values()), default=0.0)
    light = 1 - _LIGHT * (1 - it.weight)
    signs = [
        each.score
        * (light if each.kind in _WEIGHED else 1.0)
        * (1 - _SOFTENED * behind if each.kind in _SOFT else 1.0)
        * (1 - _BORNE * it.overrun if each.kind in _OVERRUN else 1.0)
        for each in it.own
    ]
    strength = together([*signs, it.seen * light])
    if strength <= 0:
        return 0.0
    sure = together(
        [strength, _OPENED * strength if it.opened else 0.0, _DEPLOYED * strength if it.deploy else 0.0]
    )
    late_s = (it.began_ns - first_ns) / SECOND_NS if it.began_ns and first_ns else 0.0
    earlier = 1 - EARLIER * min(max(late_s, 0.0) / EARLIER_S, 1.0)
    return sure * earlier * _reach(graph, feeling, node, asked=asked)


def _reach(graph: Mapping[Node, Suspect], feeling: set[Node], node: Node, *, asked: bool) -> float:
    """Give the share of those in trouble that reach *node* along abnormal calls, itself included; 0.5 to 1."""
    others = feeling - {node}
    upstream = _upstream(graph, node)
    if asked:
        return 1.0 if node in feeling or upstream & feeling else _UNREACHED
    # where no calls are known nobody reaches anybody, and that says nothing
    if not others or not any(it.toward for it in graph.values()):
        return 1.0
    trouble = sum(graph[other].strength for other in others)
    return 0.5 + 0.5 * sum(graph[other].strength for other in upstream & others) / trouble if trouble else 1.0


def _upstream(graph: Mapping[Node, Suspect], node: Node) -> set[Node]:
    """Give whoever reaches *node* along abnormal calls."""
    found: set[Node] = set()
    waiting = deque([node])
    while waiting:
        callers = set(callers_of(graph, waiting.popleft())) - found
        found |= callers
        waiting.extend(callers)
    return found


def _path(graph: Mapping[Node, Suspect], feeling: set[Node], cause: Node) -> list[str]:
    """Give the longest shortest way along abnormal calls from somebody who feels it to *cause*."""
    came_from: dict[Node, Node] = {}
    waiting, order = deque([cause]), [cause]
    while waiting:
        callee = waiting.popleft()
        for caller in callers_of(graph, callee):
            if caller not in came_from and caller != cause:
                came_from[caller] = callee
                waiting.append(caller)
                order.append(caller)
    start = next((node for node in reversed(order) if node in feeling), cause)
    path = [start]
    while path[-1] != cause:
        path.append(came_from[path[-1]])
    return [name for name, _ in path]


def _note_beginnings(
    graph: Mapping[Node, Suspect], reader: Reader, window: Window, nodes: list[Node]
) -> None:
    """Look at spans for when trouble began to the call, where the minutes say that something failed or was slow."""
    asked = []
    for name, env in nodes:
        told = [each for each in graph[name, env].own if each.kind in _WEIGHED]
        if told:
            asked.append((name, env, min(each.began_s for each in told), _slow_ns(graph[name, env])))
    for node, (failed_ns, slow_ns) in minute_reads.first_signs(reader, window, asked).items():
        first = [at for at in (failed_ns, slow_ns) if at is not None]
        if first:
            graph[node].began_ns = min(first)


def _slow_ns(it: Suspect) -> int:
    """Give what counts as slow: half way from the usual to what was reached; without a latency anomaly nothing does."""
    slow_ms = [(each.usual + each.value) / 2 for each in it.own if each.kind == "latency"]
    return int(max(slow_ms) * 1e6) if slow_ms else 2**62


def _row(node: Node, it: Suspect, score: float, path: list[str]) -> Row:
    name, env = node
    return {
        "service": name,
        "env": env,
        "kind": "service" if it.heard else "dependency",
        "score": score,
        "began": rfc_3339(it.began_ns) if it.began_ns else None,
        "evidence": evidence(node, it),
        "path": path,
    }
