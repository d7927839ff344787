"""
Probable causes: where trouble began, ranked, with the evidence and the way from whoever feels it.

Anomalies of services and of the calls between them (anomaly.py) make a graph. A service is a likely cause when it is abnormal itself, none of
what it calls explains that, whoever is in trouble can reach it along abnormal calls, and its trouble began first. What is called but sends nothing itself (a database, a
queue, a host, a service that is gone) is judged by the calls to it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from collector.health.anomaly import MINUTE_S, Anomaly, find
from collector.query.window import SECOND_NS, Window, parse_time, rfc_3339
from collector.read import minutes as minute_reads
from collector.read.deploys import deploys
from collector.read.sql import Reader, Row
from collector.read.transitions import Chosen, Transition, transitions

BASELINE_S = 3600
# A deploy this long before trouble began explains it.
DEPLOY_S = 900.0
# What a called thing explains of its caller's trouble is taken off the caller; the rest is the caller's own.
EXPLAINED = 0.85
# Of equally abnormal services the one that began first is the likelier; after this long the order says nothing more.
EARLIER_S = 120.0
# What is worth a page: below this nobody need look.
LEAST_SCORE = 0.05
CAUSES_MOST = 20
_UNREACHED = 0.15

Node = tuple[str, str]  # name, env


@dataclass(slots=True)
class Suspect:
    """
    One node of the graph.

    Attributes:
        own: Its anomalies, as its own spans and logs tell.
        heard: Whether it sends anything itself.
        toward: Node that it calls -> how abnormal these calls are, as it sees them.
        opened: Breakers that others opened on it.
        deploy: A version that began shortly before.
        began_ns: When its trouble began.
    """

    own: list[Anomaly] = field(default_factory=list)
    heard: bool = False
    toward: dict[Node, list[Anomaly]] = field(default_factory=dict)
    opened: list[Transition] = field(default_factory=list)
    deploy: Row | None = None
    began_ns: int = 0
    seen: float = 0.0

    @property
    def strength(self) -> float:
        """How abnormal it is, 0 to 1: several signs are more than one."""
        return _together([*(each.score for each in self.own), self.seen])


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
    """
    suspects = _suspects(reader, window, env)
    feeling = {
        node for node, it in suspects.items() if it.strength > 0 and (not service or node[0] == service)
    }
    ranked = sorted(_scores(suspects, feeling, asked=bool(service)).items(), key=lambda item: -item[1])
    return [
        _row(node, suspects[node], score, _path(suspects, feeling, node))
        for node, score in ranked[:CAUSES_MOST]
        if score >= LEAST_SCORE
    ]


def _suspects(reader: Reader, window: Window, env: str) -> dict[Node, Suspect]:
    long = Window(max(window.start_ns - BASELINE_S * SECOND_NS, 0), window.end_ns, window.now_ns)
    bounds = (window.start_ns // SECOND_NS // MINUTE_S * MINUTE_S, -(-window.end_ns // SECOND_NS))
    until_s = min(window.end_ns, window.now_ns) // SECOND_NS // MINUTE_S * MINUTE_S
    suspects: dict[Node, Suspect] = defaultdict(Suspect)
    for node, series in minute_reads.services(reader, long, env).items():
        suspects[node].heard = True
        suspects[node].own = find(series, bounds, until_s)
    for (caller, callee, where), series in minute_reads.edges(reader, long, env).items():
        found = [each for each in find(series, bounds, until_s) if each.kind in ("errors", "latency")]
        suspects[callee, where].heard |= False
        if found:
            suspects[caller, where].toward[callee, where] = found
    _judge_by_calls(suspects)
    _note_openings(suspects, reader, window, env)
    _note_beginnings(suspects, reader, window)
    _note_deploys(suspects, reader, window, env)
    return dict(suspects)


def _judge_by_calls(suspects: Mapping[Node, Suspect]) -> None:
    """Let callers speak for who does not speak: for things that send nothing, and services that are gone."""
    against: dict[Node, list[float]] = defaultdict(list)
    for it in suspects.values():
        for callee, found in it.toward.items():
            against[callee].append(_together(each.score for each in found))
    for node, scores in against.items():
        it = suspects[node]
        gone = any(each.kind == "gone" for each in it.own)
        if not it.heard or gone:
            it.seen = max(scores)


def _note_openings(suspects: Mapping[Node, Suspect], reader: Reader, window: Window, env: str) -> None:
    for each in transitions(reader, window, Chosen(env=env)):
        node = (each.target or each.breaker, each.env)
        if each.opens and node in suspects and node[0] != each.service:
            suspects[node].opened.append(each)


def _note_beginnings(suspects: Mapping[Node, Suspect], reader: Reader, window: Window) -> None:
    asked = []
    for (name, env), it in suspects.items():
        signs = [*it.own, *(each for found in it.toward.values() for each in found)]
        if it.own:
            asked.append((name, env, min(each.began_s for each in it.own), _slow_ns(it.own)))
        it.began_ns = min((each.began_s for each in signs), default=0) * SECOND_NS
    signs_at = minute_reads.first_signs(reader, window, asked)
    for node, (failed_ns, slow_ns) in signs_at.items():
        first = [at for at in (failed_ns, slow_ns) if at is not None]
        if first:
            suspects[node].began_ns = min(first)
    for node, it in suspects.items():
        if it.seen and not it.began_ns:
            told = [each.began_s for other in suspects.values() for each in other.toward.get(node, ())]
            it.began_ns = min(told, default=0) * SECOND_NS


def _slow_ns(own: Iterable[Anomaly]) -> int:
    """Give what counts as slow: half way from the usual to what was reached; without a latency anomaly nothing does."""
    slow_ms = [(each.usual + each.value) / 2 for each in own if each.kind == "latency"]
    return int(max(slow_ms) * 1e6) if slow_ms else 2**62


def _note_deploys(suspects: Mapping[Node, Suspect], reader: Reader, window: Window, env: str) -> None:
    for row in deploys(reader, window, env, "", 1000):
        node = (row["service"], row["env"])
        it = suspects.get(node)
        if it is None or not it.own:
            continue
        lead_s = (it.began_ns - parse_time(row["first_seen"], "first_seen", 0)) / SECOND_NS
        if -MINUTE_S <= lead_s <= DEPLOY_S and it.deploy is None:
            it.deploy = row


def _scores(suspects: Mapping[Node, Suspect], feeling: set[Node], *, asked: bool) -> dict[Node, float]:
    began = [it.began_ns for it in suspects.values() if it.strength > 0 and it.began_ns]
    first_ns = min(began, default=0)
    scores = {}
    for node, it in suspects.items():
        own = (
            _together([it.strength, 0.3 if it.opened else 0.0, 0.3 if it.deploy else 0.0])
            if it.strength
            else 0.0
        )
        if own:
            reach = _reach(suspects, feeling, node, asked=asked)
            early = (
                1 - 0.3 * min((it.began_ns - first_ns) / SECOND_NS / EARLIER_S, 1.0) if it.began_ns else 0.8
            )
            scores[node] = round(own * (1 - EXPLAINED * _explained(suspects, node)) * reach * early, 4)
    return scores


def _explained(suspects: Mapping[Node, Suspect], node: Node) -> float:
    """Say how much of *node*'s trouble what it calls explains: abnormal calls to something that is abnormal itself."""
    return max(
        (
            _together(each.score for each in found) * min(1.0, 2 * suspects[callee].strength)
            for callee, found in suspects[node].toward.items()
            if callee != node
        ),
        default=0.0,
    )


def _reach(suspects: Mapping[Node, Suspect], feeling: set[Node], node: Node, *, asked: bool) -> float:
    """Give the share of those in trouble that reach *node* along abnormal calls, itself included; 0.5 to 1."""
    others = feeling - {node}
    if asked:
        return 1.0 if node in feeling or _callers_of(suspects, node) & feeling else _UNREACHED
    if not others:
        return 1.0
    return 0.5 + 0.5 * len(_callers_of(suspects, node) & others) / len(others)


def _callers_of(suspects: Mapping[Node, Suspect], node: Node) -> set[Node]:
    """Give whoever reaches *node* along abnormal calls."""
    found: set[Node] = set()
    waiting = deque([node])
    while waiting:
        callee = waiting.popleft()
        callers = {caller for caller, it in suspects.items() if callee in it.toward} - found
        found |= callers
        waiting.extend(callers)
    return found


def _path(suspects: Mapping[Node, Suspect], feeling: set[Node], cause: Node) -> list[str]:
    """Give the longest shortest way along abnormal calls from somebody who feels it to *cause*."""
    came_from: dict[Node, Node] = {}
    waiting, order = deque([cause]), [cause]
    while waiting:
        callee = waiting.popleft()
        for caller, it in suspects.items():
            if callee in it.toward and caller not in came_from and caller != cause:
                came_from[caller] = callee
                waiting.append(caller)
                order.append(caller)
    start = next((node for node in reversed(order) if node in feeling), cause)
    path = [start]
    while path[-1] != cause:
        path.append(came_from[path[-1]])
    return [name for name, _ in path]


def _together(scores: Iterable[float]) -> float:
    """Combine independent signs: 1 - product of what each leaves unexplained."""
    left = 1.0
    for score in scores:
        left *= 1 - min(max(score, 0.0), 1.0)
    return 1 - left


def _row(node: Node, it: Suspect, score: float, path: list[str]) -> Row:
    name, env = node
    return {
        "service": name,
        "env": env,
        "kind": "service" if it.heard else "dependency",
        "score": score,
        "began": rfc_3339(it.began_ns) if it.began_ns else None,
        "evidence": _evidence(node, it),
        "path": path,
    }


def _evidence(node: Node, it: Suspect) -> list[Row]:
    name, env = node
    found = [_anomaly_row(name, env, each) for each in sorted(it.own, key=lambda each: -each.score)]
    if it.seen:
        words = (
            "calls to it fail or are slow, and it is silent itself"
            if it.heard
            else "calls to it fail or are slow; it sends nothing itself"
        )
        found.append(_said("calls_to_it", words, it.seen, 0, _page("/map", env)))
    if it.opened:
        holders = ", ".join(sorted({each.service for each in it.opened}))
        found.append(
            _said(
                "breakers_on_it",
                f"{holders} opened a breaker on it",
                len(it.opened),
                1,
                _page("/breakers", env),
            )
        )
    if it.deploy:
        version = it.deploy["version"]
        words = f"version {version} was first seen at {it.deploy['first_seen'][11:19]} UTC, shortly before"
        found.append(_said("deploy", words, 1, 1, _page(f"/services/{quote(name, safe='')}", env)))
    return found


def _anomaly_row(name: str, env: str, each: Anomaly) -> Row:
    since = f"since {rfc_3339(each.began_s * SECOND_NS)[11:16]} UTC"
    sentences = {
        "errors": f"{each.value:.1%} of its calls fail {since}, usually {each.usual:.1%}",
        "latency": f"its p95 is {each.value:.0f} ms {since}, usually {each.usual:.0f} ms",
        "log_errors": f"{each.value:.0%} of its log records are errors {since}, usually {each.usual:.0%}",
        "gone": f"nothing called it, or it served nothing, {since}; usually {each.usual:.0f} calls a minute",
    }
    pages = {
        "errors": _page("/traces", env, service=name, error="true"),
        "latency": _page("/traces", env, service=name),
        "log_errors": _page("/logs", env, query=f'service:"{name}" severity:>=error'),
        "gone": _page(f"/services/{quote(name, safe='')}", env),
    }
    return _said(each.kind, sentences[each.kind], each.value, each.usual, pages[each.kind])


def _said(code: str, message: str, value: float, threshold: float, url: str) -> Row:
    return {
        "code": code,
        "message": message,
        "value": round(value, 4),
        "threshold": round(threshold, 4),
        "url": url,
    }


def _page(path: str, env: str, **parameters: str) -> str:
    asked = {**parameters, **({"env": env} if env else {})}
    return f"{path}?{urlencode(asked)}" if asked else path
