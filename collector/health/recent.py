"""
What is abnormal now of every service, by its own minutes and by its metrics: what the board adds to errors, breakers and silence.

Latency is compared with the hour before and with the same time of earlier days: what is so every morning is no news. Calls are not looked at here: whose fault
it is, is what causes are asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping

from collector.health import resource_signs, signs
from collector.health.anomaly import MINUTE_S, Anomaly, Bounds, Values
from collector.health.by_metrics import by_owner
from collector.health.suspect import Node
from collector.query.window import SECOND_NS, Window
from collector.read import minutes as minute_reads
from collector.read import resources
from collector.read.resources import Key
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


def recent(
    reader: Reader, window: Window, env: str, services: Container[Node]
) -> Mapping[Node, list[Anomaly]]:
    """
    Return the signs that go on at the end of *window*, by service.

    Args:
        reader: The store.
        window: Its end counts.
        env: "" = every one.
        services: Those that are known: labels of metrics are looked for among them.
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
    found: dict[Node, list[Anomaly]] = defaultdict(list)
    for node, sign in slow:
        found[node].append(sign)
    for node, quantities in by_owner(services, told).items():
        found[node] += [
            sign for sign in _by_metrics(quantities, inside) if sign.goes_on and sign.score >= LEAST
        ]
    return found


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
