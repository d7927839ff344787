"""
Hot services: which one to scale next, by what presses it, and whether scaling would help.

Each kind of evidence presses by 0 to 1: CPU from 60 % of its limit to all of it; throttling up to a quarter of the periods; bulkheads from 70 % full, or
queueing, or turning calls away; queues that the service takes from and that grow; calls that get slower as there are more of them (not by chance: correlation
of at least `CORRELATION` over `MINUTES` minutes, load that at least `LOAD_FACTOR`-folds). ``score`` = 1 - the product of what each leaves.

Shares say what it costs: of all calls, and of all CPU (where nobody measures CPU, of the time spent serving).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from collector.health.queues import queues
from collector.query.window import SECOND_NS, Window
from collector.read import bulkheads as bulkhead_reads
from collector.read import usage as usage_reads
from collector.read.own import OWN_SERVICE
from collector.read.sql import Reader, Row
from collector.read.usage import Served

Key = tuple[str, str]  # service, env

CPU_FROM, THROTTLED_FULL, FULL_FROM = 0.6, 0.25, 0.7
MINUTES, CORRELATION, LOAD_FACTOR, SLOWER_FACTOR = 20, 0.5, 1.3, 1.25
# What was so five minutes ago seldom turns out to have been otherwise.
_SETTLED_NS = 300 * SECOND_NS
# From here on it is worth somebody's time.
PRESSED = 0.5


@dataclass(slots=True)
class Press:
    """What presses one service."""

    cpu: Mapping[str, float] = field(default_factory=dict)
    load: Row | None = None
    bulkheads: list[Row] = field(default_factory=list)
    queues: list[Row] = field(default_factory=list)

    @property
    def cores(self) -> float | None:
        """Cores in use."""
        return self.cpu.get("cores", self.cpu.get("process_cores"))

    @property
    def limit(self) -> float | None:
        """Cores it may use."""
        if self.cpu.get("limit"):
            return self.cpu["limit"]
        quota, period, instances = (self.cpu.get(name, 0.0) for name in ("quota", "period", "instances"))
        return quota / (period / instances) if quota > 0 and period > 0 and instances else None

    @property
    def saturation(self) -> float | None:
        """Of its cores, 0 to 1 and a little more."""
        return self.cores / self.limit if self.cores is not None and self.limit else None

    @property
    def throttled(self) -> float | None:
        """Share of the periods in which it was held back."""
        periods = self.cpu.get("periods")
        return min(self.cpu.get("throttled", 0.0) / periods, 1.0) if periods else None


def hot(reader: Reader, window: Window, env: str, limit: int) -> list[Row]:
    """Return services by what presses them, the one to scale next first; without pressure the busiest first. What was so some minutes ago is kept for a minute."""
    asked = ("hot", window.start_ns, window.end_ns, env)
    lasting = window.end_ns < window.now_ns - _SETTLED_NS
    rows: list[Row] = reader.once(asked, lambda: _hot(reader, window, env), lasting=lasting)
    return rows[:limit]


def _hot(reader: Reader, window: Window, env: str) -> list[Row]:
    served, used, bulkheads, waiting = reader.together(
        lambda each: usage_reads.served(each, window, env),
        lambda each: usage_reads.usage(each, window, env),
        lambda each: bulkhead_reads.bulkheads(each, window, env),
        lambda each: queues(each, window, env, 1000),
    )
    pressed = _gathered(served, used, bulkheads, waiting)
    every_call = sum(its.red["rate"] for its in served.values())
    costs = _costs(pressed, served)
    every_cost = sum(costs.values())
    rows = []
    for key in pressed:
        if key[0] in ("", OWN_SERVICE):
            continue
        numbers = served[key].red if key in served else {}
        shares = {
            "throughput_share": round(numbers.get("rate", 0.0) / every_call, 6) if every_call else 0.0,
            "cost_share": round(costs.get(key, 0.0) / every_cost, 6) if every_cost else None,
        }
        rows.append(_row(key, numbers, pressed[key], shares))
    rows.sort(key=lambda row: (-row["score"], -(row["rate"] or 0), row["service"], row["env"]))
    return rows


def _gathered(
    served: Mapping[Key, Served],
    used: Mapping[Key, Mapping[str, float]],
    bulkheads: Iterable[Row],
    waiting: Iterable[Row],
) -> dict[Key, Press]:
    """Put together what presses each service; every one that is known has its place."""
    found: dict[Key, Press] = defaultdict(Press)
    for key, its in served.items():
        found[key].load = its.load
    for key, told in used.items():
        found[key].cpu = told
    for row in bulkheads:
        found[row["service"], row["env"]].bulkheads.append(row)
    for row in waiting:
        for consumer in {user["service"] for user in row["consumers"]}:
            found[consumer, row["env"]].queues.append(row)
    return found


def _costs(pressed: Mapping[Key, Press], served: Mapping[Key, Served]) -> dict[Key, float]:
    """Give cores in use, else seconds spent serving; never a mixture."""
    measured = {key: press.cores for key, press in pressed.items() if press.cores is not None}
    return measured or {key: its.seconds for key, its in served.items() if its.seconds}


def _row(key: Key, numbers: Mapping[str, float], press: Press, shares: Row) -> Row:
    evidence = sorted(
        [
            *_cpu(press),
            *_throttling(press),
            *_bulkheads(press.bulkheads),
            *_queues(press.queues),
            *_slower(press),
        ],
        key=lambda each: -each["pressure"],
    )
    score = round(1 - prod(1 - each["pressure"] for each in evidence), 4)
    return {
        "service": key[0],
        "env": key[1],
        "score": score,
        "pressed": score >= PRESSED,
        "rate": numbers.get("rate"),
        "p95_ms": numbers.get("p95_ms"),
        **shares,
        "cpu_cores": _rounded(press.cores),
        "cpu_limit_cores": _rounded(press.limit),
        "cpu_saturation": _rounded(press.saturation),
        "throttled_ratio": _rounded(press.throttled),
        "instances": round(press.cpu["instances"]) if "instances" in press.cpu else None,
        "evidence": evidence,
        "recommendation": _recommendation(evidence, press),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _cpu(press: Press) -> list[Row]:
    if press.saturation is None or press.saturation <= CPU_FROM:
        return []
    pressure = min((press.saturation - CPU_FROM) / (1 - CPU_FROM), 1.0)
    message = f"uses {press.cores:.2f} of {press.limit:.2f} cores"
    return [_said("cpu", message, press.saturation, CPU_FROM, pressure)]


def _throttling(press: Press) -> list[Row]:
    if not press.throttled:
        return []
    message = f"held back in {press.throttled:.0%} of the scheduler's periods"
    return [
        _said(
            "throttled", message, press.throttled, THROTTLED_FULL, min(press.throttled / THROTTLED_FULL, 1.0)
        )
    ]


def _bulkheads(rows: Iterable[Row]) -> list[Row]:
    found = []
    for row in rows:
        full, waiting, rejected = row["saturation"] or 0.0, row["queued"] or 0.0, row["rejected_1h"] or 0.0
        pressure = max(
            (full - FULL_FROM) / (1 - FULL_FROM), 0.6 if waiting else 0.0, 0.8 if rejected else 0.0
        )
        if pressure > 0:
            message = f"{row['bulkhead']} is {full:.0%} full, {waiting:.0f} wait, {rejected:.0f} were turned away within the hour"
            found.append(_said("bulkhead", message, full, FULL_FROM, min(pressure, 1.0)))
    return sorted(found, key=lambda each: -each["pressure"])[:3]


def _queues(rows: Iterable[Row]) -> list[Row]:
    pressures = {"stuck": 0.9, "growing": 0.8, "behind": 0.4}
    return [
        _said("queue", f"the queue {row['queue']} is {row['verdict']}: {row['lag']:.0f} messages wait", row["lag"], 0, pressures[row["verdict"]])
        for row in rows
        if row["verdict"] in pressures
    ][:3]  # fmt: skip


def _slower(press: Press) -> list[Row]:
    load = press.load
    if load is None or load["minutes"] < MINUTES or (load["correlation"] or 0.0) < CORRELATION:
        return []
    if load["high"] < LOAD_FACTOR * load["low"] or load["high_ms"] < SLOWER_FACTOR * load["low_ms"]:
        return []
    factor = load["high_ms"] / load["low_ms"] if load["low_ms"] else 2.0
    message = f"{load['high_ms']:.1f} ms at {load['high']:.0f} calls a minute, {load['low_ms']:.1f} ms at {load['low']:.0f}"
    return [_said("slower_with_load", message, factor, SLOWER_FACTOR, min(0.7 * (factor - 1), 0.7))]


def _said(code: str, message: str, value: float, threshold: float, pressure: float) -> Row:
    return {
        "code": code,
        "message": message,
        "value": round(value, 4),
        "threshold": round(threshold, 4),
        "pressure": round(pressure, 4),
    }


def _recommendation(evidence: Sequence[Row], press: Press) -> str:
    if not evidence:
        return "Nothing presses it: it needs no more than it has."
    first = evidence[0]
    codes = {each["code"] for each in evidence}
    if first["code"] in ("cpu", "throttled") or codes >= {"cpu", "slower_with_load"}:
        return f"Give it more CPU, or another instance: it {first['message']}."
    if first["code"] == "bulkhead":
        return f"Look at its bulkhead: {first['message']}. Raise the limit or add an instance only if what it calls can take more."
    if first["code"] == "queue":
        return f"Add consumers, or make them faster: {first['message']}."
    if press.saturation is not None:
        return f"Find what its calls wait for before adding instances: {first['message']}, with CPU at {press.saturation:.0%}."
    return f"Measure its CPU, then decide: {first['message']}; another instance helps only if it is CPU that they wait for."
