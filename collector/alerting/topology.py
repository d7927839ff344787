"""
Topology inhibition: alerts of callers fold into the dependency that explains them. Pure.

Every alert speaks of a *node*: a breaker alert of the breaker's target, any other of its ``service``. From a node the way goes on to a callee
that explains its trouble: an open (or probing) breaker on that callee, or calls of which a tenth and more fail towards a callee that is a probable cause itself
(health/causes.py) . Where the way ends is the *root*. All alerts with one root are one story: the root's own alert leads it, else the
first of the callers'; nobody is told of the callers' others while that holds. A page never folds into what is no page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from collector.alerting.evaluate import Alert
from collector.alerting.inputs import BreakerNow
from collector.alerting.timestamps import rfc3339

Node = tuple[str, str]  # service or dependency, env

TROUBLED = frozenset({"open", "forced_open", "half_open"})
# Calls that fail this often are no accident; a cause this likely is worth following.
FAILING_RATIO = 0.1
LIKELY = 0.3


@dataclass(frozen=True)
class Call:
    """Calls of one service to another in the last minutes."""

    caller: str
    callee: str
    env: str
    calls: int
    error_ratio: float


@dataclass(frozen=True)
class Topology:
    """What the store knows: calls between services, and how probably each is a cause, 0 to 1."""

    at: datetime | None = None
    calls: tuple[Call, ...] = ()
    scores: Mapping[Node, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Fold:
    """Why an alert belongs to *root*: one piece of evidence per step of the way; *lead* is the alert that is told for it, "" = itself."""

    root: Node
    evidence: tuple[Mapping[str, Any], ...]
    lead: str = ""


class Folding:
    """
    The firing alerts of one round, folded.

    Args:
        topology: As of the last look.
        breakers: Current state per breaker and instance.
        firing: All firing alerts.
        pages: Severities that wake people.
        silenced: Ids of alerts that are silenced: they lead only their own service's story.
    """

    def __init__(
        self,
        topology: Topology,
        breakers: Iterable[BreakerNow],
        firing: Sequence[Alert],
        pages: Collection[str],
        silenced: Collection[str] = (),
    ) -> None:
        self._firing = firing
        self._pages = pages
        self._silenced = silenced
        self._names = {call.callee for call in topology.calls} | {call.caller for call in topology.calls}
        self._steps = self._explanations(topology, breakers)
        self._ways: dict[Node, tuple[Node, tuple[Mapping[str, Any], ...]]] = {}

    def fold(self, alert: Alert) -> Fold | None:
        """Give where *alert* belongs, None if it speaks of no service."""
        node = self.node(alert.labels)
        if node is None:
            return None
        root, evidence = self.way(node)
        return Fold(root, (*self._own_step(alert.labels, node), *evidence), self._leads.get(alert.id, ""))

    def _own_step(self, labels: Mapping[str, str], node: Node) -> tuple[Mapping[str, Any], ...]:
        """Give the step from the service of a breaker's alert to what the breaker is on."""
        holder = (labels.get("service", ""), labels.get("env", ""))
        if not holder[0] or holder == node:
            return ()
        step = self._steps.get(holder)
        if step is not None and step[0] == node:
            return (step[1],)
        message = f"{holder[0]}'s breaker {labels['breaker']!r} is on {node[0]}"
        return (
            {
                "by": "breaker",
                "caller": holder[0],
                "callee": node[0],
                "breaker": labels["breaker"],
                "message": message,
            },
        )

    def lead(self, alert_id: str) -> str | None:
        """Give the alert that is told in place of *alert_id*, None if it is told itself."""
        return self._leads.get(alert_id)

    def node(self, labels: Mapping[str, str]) -> Node | None:
        """Give what an alert with *labels* speaks of."""
        target = labels.get("target", "") if labels.get("breaker") else ""
        name = self._named(target) or labels.get("service", "")
        return (name, labels.get("env", "")) if name else None

    def way(self, node: Node) -> tuple[Node, tuple[Mapping[str, Any], ...]]:
        """Follow what explains *node*; give the root and the evidence of each step."""
        if node not in self._ways:
            here, seen, evidence = node, {node}, []
            while (step := self._steps.get(here)) and step[0] not in seen:
                here = step[0]
                seen.add(here)
                evidence.append(step[1])
            self._ways[node] = (here, tuple(evidence))
        return self._ways[node]

    @cached_property
    def _leads(self) -> Mapping[str, str]:
        stories: dict[Node, list[Alert]] = defaultdict(list)
        for alert in self._firing:
            node = self.node(alert.labels)
            if node is not None:
                stories[self.way(node)[0]].append(alert)
        return {
            alert_id: lead for root, alerts in stories.items() for alert_id, lead in self._led(root, alerts)
        }

    def _led(self, root: Node, alerts: Sequence[Alert]) -> Iterable[tuple[str, str]]:
        able = [alert for alert in alerts if _is_own(alert, root) or alert.id not in self._silenced]
        if len(alerts) < 2 or not able:
            return
        lead = min(able, key=lambda alert: self._rank(alert, root))
        for alert in alerts:
            if (
                alert is not lead
                and not _is_own(alert, root)
                and (self._is_page(lead) or not self._is_page(alert))
            ):
                yield alert.id, lead.id

    def _rank(self, alert: Alert, root: Node) -> tuple[bool, bool, datetime, str]:
        return (
            not self._is_page(alert),
            not _is_own(alert, root),
            alert.fired_at or alert.pending_since,
            alert.id,
        )

    def _is_page(self, alert: Alert) -> bool:
        return alert.labels.get("severity", "") in self._pages

    def _named(self, target: str) -> str:
        """Give the service that *target* names: ``bank:8080`` is bank where bank is known."""
        host = target.rsplit(":", 1)[0]
        return host if target not in self._names and host in self._names else target

    def _explanations(
        self, topology: Topology, breakers: Iterable[BreakerNow]
    ) -> dict[Node, tuple[Node, Mapping[str, Any]]]:
        """Give the best step from each node: by a breaker before by health, the likelier before the less."""
        found: dict[Node, tuple[tuple[int, float], Node, Mapping[str, Any]]] = {}

        def offer(node: Node, rank: tuple[int, float], to: Node, evidence: Mapping[str, Any]) -> None:
            if to != node and (node not in found or rank > found[node][0]):
                found[node] = (rank, to, evidence)

        for breaker in breakers:
            to = (self._named(breaker.target), breaker.env)
            if breaker.state in TROUBLED and to[0]:
                score = topology.scores.get(to, 0.0)
                offer(
                    (breaker.service, breaker.env), (1, score), to, _breaker_evidence(breaker, to[0], score)
                )
        for call in topology.calls:
            to = (call.callee, call.env)
            score = topology.scores.get(to, 0.0)
            if call.error_ratio >= FAILING_RATIO and score >= LIKELY:
                offer((call.caller, call.env), (0, score), to, _call_evidence(call, score))
        return {node: (to, evidence) for node, (_, to, evidence) in found.items()}


def _is_own(alert: Alert, root: Node) -> bool:
    return (alert.labels.get("service", ""), alert.labels.get("env", "")) == root


def _breaker_evidence(breaker: BreakerNow, callee: str, score: float) -> dict[str, Any]:
    return {
        "by": "breaker",
        "caller": breaker.service,
        "callee": callee,
        "breaker": breaker.breaker,
        "state": breaker.state,
        "since": rfc3339(breaker.since),
        "score": round(score, 3),
        "message": f"{breaker.service}'s breaker {breaker.breaker!r} on {callee} is {breaker.state.replace('_', ' ')}",
    }


def _call_evidence(call: Call, score: float) -> dict[str, Any]:
    return {
        "by": "health",
        "caller": call.caller,
        "callee": call.callee,
        "calls": call.calls,
        "error_ratio": round(call.error_ratio, 4),
        "score": round(score, 3),
        "message": f"{call.error_ratio:.0%} of {call.caller}'s calls to {call.callee} fail, a probable cause (score {score:.2f})",
    }
