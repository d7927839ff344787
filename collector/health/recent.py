"""
What is abnormal now of every service, by its own minutes and by its metrics: what the board adds to errors, breakers and silence.

Latency is compared with the hour before and with the same time of earlier days: what is so every morning is no news. Calls are not looked at here: whose fault
it is, is what causes are asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from collector.health import resource_signs, signs
from collector.health.anomaly import MINUTE_S, Anomaly
from collector.health.suspects import Node, by_owner
from collector.query.window import SECOND_NS, Window
from collector.read import minutes as minute_reads
from collector.read import resources
from collector.read.sql import Reader

# A sign is looked for in the last minutes, and counts while it goes on.
LOOK_S, BASELINE_S = 600, 3600
# As slow as at this time of an earlier day, and a third: usual.
SAME_TIME_FACTOR = 1.3
# What is told of a service: about twice as slow as usual at least, or strong enough by its metrics.
LEAST_SLOW, LEAST = 0.3, 0.15
# Columns of recorded data count requests and failures too; error ratios are the board's own.
_TOLD = frozenset({"throttling", "memory", "oom", "restarts", "saturation", "queue"})


def recent(reader: Reader, window: Window, env: str) -> Mapping[Node, list[Anomaly]]:
    """Return the signs that go on at the end of *window*, by service."""
    end_ns = min(window.end_ns, window.now_ns)
    until_s = end_ns // SECOND_NS
    inside = ((until_s - LOOK_S) // MINUTE_S * MINUTE_S, until_s)
    long = Window(max((inside[0] - BASELINE_S) * SECOND_NS, 0), end_ns, window.now_ns)
    known = minute_reads.services(reader, long, env)
    found: dict[Node, list[Anomaly]] = defaultdict(list)
    slow = {
        node: sign
        for node, minutes in known.items()
        if (sign := signs.slow(minutes.calls, minutes.spent_ms, inside))
    }
    then = minute_reads.same_time(reader, window, env) if slow else {}
    for node, sign in slow.items():
        if sign.goes_on and sign.score >= LEAST_SLOW and sign.value > SAME_TIME_FACTOR * then.get(node, 0.0):
            found[node].append(sign)
    for node, told in by_owner(known, resources.minutes(reader, long, env)).items():
        queues = [
            sign
            for (role, name), values in told.items()
            if role == "queue" and (sign := resource_signs.queue(values, inside, name))
        ]
        for sign in (
            *resource_signs.found({key: values for key, values in told.items() if key[0] != "queue"}, inside),
            *queues,
        ):
            if sign.kind in _TOLD and sign.goes_on and sign.score >= LEAST:
                found[node].append(sign)
    return found
