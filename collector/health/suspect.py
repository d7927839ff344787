"""One suspect: a service, or something that services call, with what is abnormal of it; and what suspects are found in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from collector.health.anomaly import Anomaly
from collector.read.minutes import EdgeKey, Minutes
from collector.read.resources import Key, Told, Values
from collector.read.sql import Row
from collector.read.transitions import Transition

Node = tuple[str, str]  # name, env


@dataclass(frozen=True, slots=True)
class Known:
    """
    What was read of a window and of the time before it.

    Attributes:
        services: Minutes of requests and log records by service.
        edges: Minutes of calls by caller and callee; failures and durations only of those that may be abnormal.
        resources: Minutes of metrics.
        transitions: Of breakers.
        deploys: First sightings of versions.
        tails: Gives the p95 of services' requests minute by minute, ms; it is asked once, about those that are slow themselves.
        waited: By caller the failures and durations of all calls that it waits for, added up; None = *edges* have them all.
    """

    services: Mapping[Node, Minutes]
    edges: Mapping[EdgeKey, Minutes]
    resources: Mapping[Told, Mapping[Key, Values]] = field(default_factory=dict)
    transitions: Sequence[Transition] = ()
    deploys: Sequence[Row] = ()
    tails: Callable[[Collection[Node]], Mapping[Node, Values]] = lambda _: {}
    waited: Mapping[Node, Minutes] | None = None


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


def together(scores: Iterable[float]) -> float:
    """Combine independent signs: 1 - product of what each leaves unexplained."""
    left = 1.0
    for score in scores:
        left *= 1 - min(max(score, 0.0), 1.0)
    return 1 - left


def callers_of(graph: Mapping[Node, Suspect], node: Node) -> Iterator[Node]:
    """Give whoever calls *node* abnormally."""
    return (caller for caller, it in graph.items() if node in it.toward)
