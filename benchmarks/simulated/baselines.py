"""
Other ways to name a cause, on the same minutes: what a person without the tool does, and two published methods.

``highest error ratio``   the service with the highest share of failed requests
``deepest error``         the service whose failing span lies deepest in most failed traces
``random walk``           personalised PageRank on the call graph, edges weighted by how a callee's latency follows the entry's (after MicroRCA, NOMS 2020)
``change points``         the largest deviation of any series from its own median before, in interquartile ranges (the scorer of BARO, FSE 2024), which is told the beginning
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

import httpx

MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Minutes:
    """
    What a scenario's collector knows, minute by minute.

    Attributes:
        series: (service, quantity) -> minute -> value; quantities ``errors``, ``latency``, ``calls`` and names of metrics.
        edges: (caller, callee) -> minute -> latency.
        deepest: Failing spans without a failing span below them, by service, in the minutes of the fault.
    """

    series: Mapping[tuple[str, str], Mapping[int, float]]
    edges: Mapping[tuple[str, str], Mapping[int, float]]
    deepest: Mapping[str, int]


_SERVICES = """SELECT service, toUnixTimestamp(minute) AS at, sum(calls) AS n, sum(errors) / sum(calls) AS failed, sum(duration_ns_sum) / sum(calls) AS took
FROM service_minutes WHERE env = '{env}' AND kind IN ('server', 'consumer') GROUP BY service, at ORDER BY at LIMIT 100000"""
_EDGES = """SELECT caller, callee, toUnixTimestamp(minute) AS at, sum(duration_ns_sum) / sum(calls) AS took
FROM edge_minutes WHERE env = '{env}' GROUP BY caller, callee, at ORDER BY at LIMIT 100000"""
_DEEPEST = """SELECT service, count() AS n FROM spans WHERE env = '{env}' AND status = 'error' AND start >= toDateTime({fault_s})
AND span_id NOT IN (SELECT parent_span_id FROM spans WHERE env = '{env}' AND status = 'error' AND start >= toDateTime({fault_s}) LIMIT 1000000)
GROUP BY service ORDER BY n DESC LIMIT 100"""
_SAMPLES = """SELECT service, name, toUnixTimestamp(toStartOfMinute(at)) AS minute, avg(value) AS value FROM metric_samples INNER JOIN metric_series USING series_id
WHERE env = '{env}' AND name NOT LIKE '%_total' GROUP BY service, name, minute ORDER BY minute LIMIT 100000"""


def minutes(client: httpx.Client, env: str, fault_s: int) -> Minutes:
    """Ask for the minutes of a scenario."""

    def rows(statement: str) -> list[dict[str, float]]:
        answer = client.post("/api/v1/sql", json={"query": statement.format(env=env, fault_s=fault_s)})
        answer.raise_for_status()
        found: list[dict[str, float]] = answer.json()["data"]
        return found

    series: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for row in rows(_SERVICES):
        for quantity, column in (("errors", "failed"), ("latency", "took"), ("calls", "n")):
            series[str(row["service"]), quantity][int(row["at"])] = float(row[column])
    for row in rows(_SAMPLES):
        series[str(row["service"]), str(row["name"])][int(row["minute"])] = float(row["value"])
    edges: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for row in rows(_EDGES):
        edges[str(row["caller"]), str(row["callee"])][int(row["at"])] = float(row["took"])
    return Minutes(series, edges, {str(row["service"]): int(row["n"]) for row in rows(_DEEPEST)})


def highest_error_ratio(known: Minutes, fault_s: int, until_s: int) -> list[str]:
    """Rank by the mean share of failed requests since the fault."""
    scores = {}
    for (service, quantity), values in known.series.items():
        if quantity in {"errors", "error"}:
            after = [value for at, value in values.items() if fault_s <= at < until_s]
            scores[service] = sum(after) / len(after) if after else 0.0
    return _ranked(scores)


def deepest_error(known: Minutes, fault_s: int, until_s: int) -> list[str]:
    """Rank by failing spans that have no failing span below them."""
    del fault_s, until_s
    return _ranked(known.deepest)


def change_points(known: Minutes, fault_s: int, until_s: int) -> list[str]:
    """Rank services by their worst series: how far it goes from its median before, in interquartile ranges."""
    scores: dict[str, float] = defaultdict(float)
    for (service, _), values in known.series.items():
        before = [value for at, value in values.items() if at < fault_s]
        after = [value for at, value in values.items() if fault_s <= at < until_s]
        if len(before) < 5 or not after:
            continue
        low, middle, high = quantiles(before, n=4)
        spread = (high - low) or 1e-9 + abs(middle) * 0.01
        scores[service] = max(scores[service], max(abs(value - middle) for value in after) / spread)
    return _ranked(scores)


def random_walk(known: Minutes, fault_s: int, until_s: int) -> list[str]:
    """Rank by a walk that begins at the services whose latency or errors rose, and goes on along calls that look like the entry's latency."""
    odd = {name: score for name, score in _oddness(known, fault_s, until_s).items() if score > 3}
    if not odd:
        return []
    entry = min(odd, key=lambda name: sum(callee == name for _, callee in known.edges))
    front = known.series.get((entry, "latency"), {})
    weights: dict[str, dict[str, float]] = defaultdict(dict)
    for (caller, callee), took in known.edges.items():
        weight = max(_correlation(front, took, until_s), 0.01)
        weights[caller][callee] = weight
        weights[callee].setdefault(caller, 0.1 * weight)
    total = sum(odd.values())
    start = {name: score / total for name, score in odd.items()}
    rank = dict(start)
    for _ in range(40):
        following: dict[str, float] = defaultdict(float)
        for name, share in rank.items():
            away = weights.get(name, {})
            stays = min(odd.get(name, 0) / 100, 1.0)
            whole = sum(away.values()) + stays
            if whole == 0:
                following[name] += 0.85 * share
                continue
            following[name] += 0.85 * share * stays / whole
            for other, weight in away.items():
                following[other] += 0.85 * share * weight / whole
        for name, share in start.items():
            following[name] += 0.15 * share
        rank = following
    return _ranked(rank)


def _oddness(known: Minutes, fault_s: int, until_s: int) -> dict[str, float]:
    scores: dict[str, float] = defaultdict(float)
    for (service, quantity), values in known.series.items():
        before = [value for at, value in values.items() if at < fault_s]
        after = [value for at, value in values.items() if fault_s <= at < until_s]
        if quantity in {"latency", "errors"} and len(before) >= 5 and after:
            low, middle, high = quantiles(before, n=4)
            spread = (high - low) or 0.01 + abs(middle) * 0.1
            scores[service] = max(scores[service], (median(after) - middle) / spread)
    return scores


def _correlation(one: Mapping[int, float], other: Mapping[int, float], until_s: int) -> float:
    common = [at for at in one if at in other and at < until_s]
    if len(common) < 5:
        return 0.0
    xs, ys = [one[at] for at in common], [other[at] for at in common]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    top = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    bottom = math.sqrt(sum((x - mean_x) ** 2 for x in xs) * sum((y - mean_y) ** 2 for y in ys))
    return top / bottom if bottom else 0.0


def _ranked(scores: Mapping[str, float]) -> list[str]:
    return [name for name, score in sorted(scores.items(), key=lambda item: (-item[1], item[0])) if score > 0]


BASELINES: Mapping[str, Callable[[Minutes, int, int], Sequence[str]]] = {
    "highest error ratio": highest_error_ratio,
    "deepest error": deepest_error,
    "random walk": random_walk,
    "change points": change_points,
}
