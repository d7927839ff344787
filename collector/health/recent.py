"""
What is abnormal now of every service, by its own minutes and by its metrics: what the board adds to errors, breakers and silence.

Latency is compared with the hour before and with the same time of earlier days: what is so every morning is no news. Calls are not looked at here: whose fault
it is, is what causes are asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from collector.health import resource_signs, signs
from collector.health.anomaly import MINUTE_S, Anomaly, Bounds, Values
from collector.health.by_metrics import by_owner
from collector.health.suspect import Node
from collector.query.window import SECOND_NS, Window
from collector.read import minutes as minute_reads
from collector.read import resources
from collector.read.resources import Key, Told
from collector.read.sql import Reader

# A sign is looked for in the last minutes, and counts while it goes on.
LOOK_S, RECENT_S, BASELINE_S = 600, 300, 3600
# Metrics of containers and pools seldom swell: a third of an hour tells what is usual.
METRICS_S = 1200
# As slow as at this time of an earlier day, and a third: usual.
SAME_TIME_FACTOR = 1.3
# What is told of a service: about twice as slow as usual at least, or strong enough by its metrics.
LEAST_SLOW, LEAST = 0.3, 0.15
# CPU alone is no trouble; error ratios are the board's own.
_TOLD = frozenset({"throttling", "memory", "oom", "restarts", "saturation"})
_ROLES = frozenset(
    {
        "periods",
        "throttled",
        "memory",
        "memory_limit",
        "oom",
        "restarts",
        "queue",
        "pool_in_use",
        "pool_available",
        "pool_limit",
        "pool_queued",
        "pool_rejected",
    }
)


@dataclass(slots=True)
class Recent:
    """
    What was read of the last minutes, and the signs in it once they were looked for.

    It is read before anybody knows who was heard of, and judged when that is known: labels of metrics are looked for among those.
    """

    slow: Sequence[tuple[Node, Anomaly]]
    told: Mapping[Told, Mapping[Key, dict[int, float]]]
    inside: Bounds
    found: Mapping[Node, list[Anomaly]] | None = None

    def signs(self, services: Callable[[], Container[Node]]) -> Mapping[Node, list[Anomaly]]:
        """Return the signs that go on, by service; *services* gives those that are known, and is asked where nobody has looked for them yet."""
        # taken before it is asked whether another thread was here: who was leaves signs first, and lets go of what they were found in then
        told = self.told
        if self.found is not None:
            return self.found
        found = self._judged(told, services())
        self.found = found
        self.told = {}
        return found

    def _judged(
        self, told: Mapping[Told, Mapping[Key, dict[int, float]]], services: Container[Node]
    ) -> Mapping[Node, list[Anomaly]]:
        found: dict[Node, list[Anomaly]] = defaultdict(list)
        for node, sign in self.slow:
            found[node].append(sign)
        for node, quantities in by_owner(services, told).items():
            signs = _by_metrics(quantities, self.inside)
            found[node] += [sign for sign in signs if sign.goes_on and sign.score >= LEAST]
        return found


def recent(reader: Reader, window: Window, env: str) -> Recent:
    """
    Read what is abnormal at the end of *window*.

    Args:
        reader: The store.
        window: Its end counts.
        env: "" = every one.
    """
    end_ns = min(window.end_ns, window.now_ns)
    until_s = end_ns // SECOND_NS
    inside = ((until_s - LOOK_S) // MINUTE_S * MINUTE_S, until_s)
    hour, long, judged = (
        Window(_since(inside, back_s), end_ns, window.now_ns) for back_s in (BASELINE_S, METRICS_S, 0)
    )
    slow, told = reader.together(
        lambda its: list(_slow(its, hour, env, inside)),
        lambda its: resources.minutes(its, long, env, _ROLES, judged),
    )
    return Recent(slow, told, inside)


def _since(inside: Bounds, baseline_s: int) -> int:
    return max((inside[0] - baseline_s) * SECOND_NS, 0)


def _slow(reader: Reader, window: Window, env: str, inside: Bounds) -> Iterator[tuple[Node, Anomaly]]:
    slow = {
        node: sign
        for node, minutes in minute_reads.slower(reader, window, env, inside[1] - RECENT_S).items()
        if (sign := signs.slow(minutes.calls, minutes.spent_ms, inside))
        and sign.goes_on
        and sign.score >= LEAST_SLOW
    }
    then = minute_reads.same_time(reader, window, env) if slow else {}
    for node, sign in slow.items():
        if sign.value > SAME_TIME_FACTOR * then.get(node, 0.0):
            yield node, sign


def _by_metrics(quantities: Mapping[Key, Values], inside: Bounds) -> Iterator[Anomaly]:
    for (role, name), values in quantities.items():
        sign = resource_signs.queue(values, inside, name) if role == "queue" else None
        if sign is not None:
            yield sign
    yield from (
        sign
        for sign in resource_signs.found(
            {key: values for key, values in quantities.items() if key[0] != "queue"}, inside
        )
        if sign.kind in _TOLD
    )
