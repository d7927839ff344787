"""
Signs out of metrics: CPU near its limit or far above the usual, throttling, memory near its limit, out-of-memory kills, restarts, pools that are full, queues that
grow; and the whole quantities that services known by metrics only are told by. Pure; thresholds in docs/health.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from collector.health.anomaly import MADS, MINUTE_S, Anomaly, Bounds, Values, usual, worst_run
from collector.health.signs import GONE_RATIO
from collector.read.resources import POOL_FULL, Key

Quantities = Mapping[Key, Values]

# Above this share of the limit a CPU queues; without a limit, so many times the usual.
CPU_LIMIT, CPU_FACTOR = 0.85, 1.8
THROTTLED = 0.15
MEMORY_LIMIT, MEMORY_RISE, MEMORY_FACTOR = 0.9, 0.08, 1.3
# Messages that wait: so many more than usual, and so many times.
QUEUE_MORE, QUEUE_FACTOR = 20.0, 3.0
COLUMN_FACTOR = 1.5
# Without a graph of calls only how much tells a service from its callers: so the scale does not end early.
COLUMN_ERRORS_FULL = 0.6
# Metrics support what calls show: by themselves they are seldom the whole story.
_WEIGHT = {
    "cpu": 0.5,
    "throttling": 0.5,
    "memory": 0.45,
    "oom": 0.7,
    "restarts": 0.5,
    "saturation": 0.6,
    "queue": 0.6,
}


def found(told: Quantities, window: Bounds) -> list[Anomaly]:
    """Give the signs of one service's metrics."""
    by_role = {role: values for (role, about), values in told.items() if not about}
    signs = [
        _cpu(by_role, window),
        _throttling(by_role, window),
        _memory(by_role, window),
        _counted("oom", by_role.get("oom", {}), window),
        _counted("restarts", by_role.get("restarts", {}), window),
        *_columns(by_role, window),
        *_pools(told, window),
    ]
    return [each for each in signs if each is not None]


def queue(values: Values, window: Bounds, name: str) -> Anomaly | None:
    """Find a queue that grows."""
    middle, spread = usual(values, window)
    limit = max(middle * QUEUE_FACTOR, middle + MADS * spread, middle + QUEUE_MORE)
    return worst_run(
        "queue", values, window, lambda _, n: n >= limit, middle,
        lambda n: _WEIGHT["queue"] * (0.5 + 0.5 * _grown(n / max(middle, QUEUE_MORE), 16)), name,
    )  # fmt: skip


def _cpu(by_role: Mapping[str, Values], window: Bounds) -> Anomaly | None:
    used = {
        at: value / MINUTE_S for at, value in (by_role.get("cpu") or by_role.get("cpu_process") or {}).items()
    }
    limits = by_role.get("cpu_limit", {})
    middle, spread = usual(used, window)
    if middle <= 0 and not limits:
        return None

    def abnormal(at: int, cores: float) -> bool:
        near = bool(limits.get(at)) and cores >= CPU_LIMIT * limits[at] and cores >= 1.2 * middle
        return near or cores >= max(CPU_FACTOR * middle, middle + MADS * spread, middle + 0.1)

    return worst_run(
        "cpu",
        used,
        window,
        abnormal,
        middle,
        lambda cores: _WEIGHT["cpu"] * (0.4 + 0.6 * _grown(cores / max(middle, 0.02), 6)),
    )


def _throttling(by_role: Mapping[str, Values], window: Bounds) -> Anomaly | None:
    periods, throttled = by_role.get("periods", {}), by_role.get("throttled", {})
    ratios = {at: min(throttled.get(at, 0.0) / every, 1.0) for at, every in periods.items() if every > 0}
    middle, spread = usual(ratios, window)
    limit = middle + max(THROTTLED, MADS * spread)
    return worst_run(
        "throttling",
        ratios,
        window,
        lambda _, ratio: ratio >= limit,
        middle,
        lambda ratio: _WEIGHT["throttling"] * (ratio - middle) / 0.5,
    )


def _memory(by_role: Mapping[str, Values], window: Bounds) -> Anomaly | None:
    used, limits = (
        by_role.get("memory") or by_role.get("memory_process") or {},
        by_role.get("memory_limit", {}),
    )
    if limits:
        ratios = {at: value / limits[at] for at, value in used.items() if limits.get(at)}
        middle, spread = usual(ratios, window)
        limit = max(MEMORY_LIMIT, middle + MEMORY_RISE, middle + MADS * spread)
    else:
        ratios = dict(used)
        middle, spread = usual(ratios, window)
        limit = max(MEMORY_FACTOR * middle, middle + 2 * MADS * spread)
    if middle <= 0:
        return None
    return worst_run(
        "memory",
        ratios,
        window,
        lambda _, value: value >= limit,
        middle,
        lambda value: _WEIGHT["memory"] * (0.5 + 0.5 * _grown(value / middle, 2)),
    )


def _counted(kind: str, values: Values, window: Bounds) -> Anomaly | None:
    middle, _ = usual(values, window)
    return worst_run(
        kind, values, window, lambda _, count: count >= middle + 0.9, middle, lambda _: _WEIGHT[kind]
    )


def _pools(told: Quantities, window: Bounds) -> list[Anomaly | None]:
    names = {about for (role, about) in told if role.startswith("pool_") and about}
    return [_pool(told, name, window) for name in sorted(names)]


def _pool(told: Quantities, name: str, window: Bounds) -> Anomaly | None:
    in_use, limit, available = (
        told.get((role, name), {}) for role in ("pool_in_use", "pool_limit", "pool_available")
    )
    ratios = {}
    for at in set(in_use) | set(available):
        most = limit.get(at) or (in_use.get(at, 0.0) + available.get(at, 0.0))
        used = in_use[at] if at in in_use else most - available.get(at, 0.0)
        if most > 0:
            ratios[at] = min(used / most, 1.0)
    if max(ratios.values(), default=0.0) < POOL_FULL:
        return None
    queued, rejected = told.get(("pool_queued", name), {}), told.get(("pool_rejected", name), {})
    middle, _ = usual(ratios, window)

    def abnormal(at: int, ratio: float) -> bool:
        return (
            ratio >= POOL_FULL
            and ratio >= middle + 0.1
            and (queued.get(at, 0.0) >= 1 or rejected.get(at, 0.0) >= 1 or not (queued or rejected))
        )

    return worst_run("saturation", ratios, window, abnormal, middle, lambda _: _WEIGHT["saturation"], name)


def _columns(by_role: Mapping[str, Values], window: Bounds) -> list[Anomaly | None]:
    """Judge whole quantities: how many times the usual, and far beyond how they usually differ."""
    load = by_role.get("column_load", {})
    failing = by_role.get("column_error", {})
    ratios = (
        {at: value / max(load[at], 1e-9) for at, value in failing.items() if load.get(at)}
        if load
        else failing
    )
    signs = [
        _risen("errors", ratios, window, 0.03 if load else 0.0, COLUMN_ERRORS_FULL if load else 0.0),
        _risen("latency", by_role.get("column_latency", {}), window, 0.0, 0.0),
        _risen("cpu", by_role.get("column_cpu", {}), window, 0.0, 0.0),
        _risen("memory", by_role.get("column_memory", {}), window, 0.0, 0.0),
        _risen("io", by_role.get("column_io", {}), window, 0.0, 0.0),
    ]
    return [*signs, _column_gone(by_role, window)]


def _risen(kind: str, values: Values, window: Bounds, least: float, full: float) -> Anomaly | None:
    middle, spread = usual(values, window)
    factor = 1.15 if kind == "memory" else COLUMN_FACTOR
    limit = max(factor * middle, middle + 2 * MADS * spread, middle + least)
    if not values or limit <= 0:
        return None
    basis = max(middle, spread, 1e-9)
    weight = {"cpu": 0.9, "memory": 0.9, "io": 0.6}.get(kind, 1.0)
    growth = 4 if kind == "memory" else 64
    return worst_run(kind, values, window, lambda _, value: value > limit, middle,
                     lambda value: weight * ((value - middle) / full if full else 0.1 + 0.9 * _grown(value / basis, growth)))  # fmt: skip


def _column_gone(by_role: Mapping[str, Values], window: Bounds) -> Anomaly | None:
    """Find a service whose load, CPU and memory all fell to nothing: less of them is less traffic, not a crash."""
    known = [by_role[role] for role in ("column_cpu", "column_memory") if by_role.get(role)]
    if not known:
        return None
    shares: dict[int, float] = {}
    for values in known:
        middle, _ = usual(values, window)
        if middle <= 0:
            return None
        for at, value in values.items():
            shares[at] = max(shares.get(at, 0.0), value / middle)
    return worst_run("gone", shares, window, lambda _, share: share <= GONE_RATIO, 1.0, lambda _: 1.0)


def _grown(ratio: float, full: float) -> float:
    return min(math.log2(max(ratio, 1.0)) / math.log2(full), 1.0)
