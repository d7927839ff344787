"""
Faults: where, of which kind, how strong, from when; what each does to a request that meets it.

The kinds are those of the literature and of on-call life. A fault changes one service or database; what others show of it comes about in the simulation by
their calls, timeouts, retries and breakers. Nothing here knows how causes are found.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmarks.simulated.topology import System

KINDS = (
    "latency", "errors", "crash", "cpu", "memory", "dependency down", "bad deploy", "pool exhaustion", "message backlog", "retry storm",
)  # fmt: skip
# Where nothing but metrics of services is known (a column per service and metric).
METRICS_ONLY = ("latency", "errors", "crash", "cpu", "memory")


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One fault.

    Attributes:
        kind: Of `KINDS`.
        at: The service or database: what a correct answer names.
        strength: 0 to 1.
        share: Of the requests, or of the instances, that meet it.
        ramp_s: Until it is fully there.
        callee: Of a retry storm: the call that is retried.
    """

    kind: str
    at: str
    strength: float
    share: float
    ramp_s: float
    callee: str = ""

    def grown(self, since_s: float) -> float:
        """How much of it is there *since_s* seconds after its beginning, 0 to 1."""
        if since_s < 0:
            return 0.0
        return 1.0 if self.ramp_s <= 0 else min(since_s / self.ramp_s, 1.0)


def drawn(kind: str, system: System, rng: random.Random) -> Fault:
    """Draw a fault of *kind* for *system*: a place where it is possible and that requests come by."""
    reached = _reached(system)
    places = {
        "dependency down": [name for name in system.databases if name in reached],
        "pool exhaustion": [name for name, it in system.services.items() if it.pool and name in reached],
        "message backlog": [name for name, it in system.services.items() if it.consumes and name in reached],
        "retry storm": [
            name
            for name, it in system.services.items()
            if _retried(system, name) and name in reached and name not in system.entries
        ],
    }.get(
        kind,
        [
            name
            for name, it in system.services.items()
            if name in reached and name not in system.entries and not it.consumes
        ],
    )
    at = rng.choice(places)
    share = rng.choice((0.4, 0.7, 1.0)) if kind in {"latency", "errors", "bad deploy"} else 1.0
    ramp_s = rng.choice((0, 0, 60, 120)) if kind in {"latency", "errors", "cpu", "dependency down"} else 0
    callee = rng.choice(_retried(system, at)) if kind == "retry storm" else ""
    return Fault(kind, at, rng.uniform(0.4, 1.0), share, ramp_s, callee)


def _reached(system: System) -> set[str]:
    """Give what requests come by often enough to be felt: at least one in seven."""
    return {name for name, chance in chances(system).items() if chance >= 0.14}


def chances(system: System) -> dict[str, float]:
    """Give how many calls of each service, database and queue a request makes on average; a queue's reader has its queue's."""
    found: dict[str, float] = {}
    waiting = [(name, 1.0 / len(system.entries)) for name in system.entries]
    readers = {it.consumes: name for name, it in system.services.items() if it.consumes}
    while waiting:
        name, chance = waiting.pop()
        found[name] = found.get(name, 0.0) + chance
        below = system.services[name].calls if name in system.services else ()
        waiting += [(call.to, chance * call.chance) for call in below]
        if name in readers:
            waiting.append((readers[name], chance))
    return found


def _retried(system: System, name: str) -> list[str]:
    return [call.to for call in system.services[name].calls if call.protocol == "http" and call.chance > 0.3]
