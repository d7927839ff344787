"""
When breakers were in which state: stretches on one time axis, per instance of a breaker or per breaker of many services.

Before its first transition in the range an instance was in that transition's ``from``; without any transition it was in its present
state since it has been (unknown before). A breaker is as bad as its worst instance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from dashboards.api import Row
from dashboards.charts import rows_by
from dashboards.filters import state_slug
from dashboards.pages.page import text_of
from dashboards.timestamps import NS_PER_S, nanoseconds
from dashboards.window import Window

WORST = ("open", "forced_open", "half_open", "unknown", "disabled", "metrics_only", "closed")


@dataclass(frozen=True)
class Stretch:
    """A piece of a time line in one state, in percent of the page's time range."""

    state: str
    x: float
    width: float
    since: str


@dataclass(frozen=True)
class Lane:
    """The time line of one instance, or of one breaker over all its instances."""

    name: str
    stretches: tuple[Stretch, ...]
    url: str = ""

    @property
    def changed(self) -> bool:
        """True if it was in more than one state."""
        return len(self.stretches) > 1


@dataclass(frozen=True)
class Swimlanes:
    """The breakers of one service, one lane each."""

    service: str
    env: str
    url: str
    lanes: tuple[Lane, ...] = field(default=())


def lanes(timeline: Sequence[Row], instances: Sequence[Row], window: Window) -> tuple[Lane, ...]:
    """Lay out when each instance of one breaker was in which state."""
    return tuple(
        Lane(name, _drawn(points, window))
        for name, points in sorted(_points(timeline, instances, window).items())
    )


def swimlanes(transitions: Iterable[Row], breakers: Iterable[Row], window: Window) -> tuple[Swimlanes, ...]:
    """Lay out every breaker that changed in the range, service by service, so that what followed what is seen."""
    told = rows_by(transitions, "service", "env", "breaker")
    present = {key: rows[0] for key, rows in rows_by(breakers, "service", "env", "breaker").items()}
    found: dict[tuple[str, str], list[Lane]] = {}
    for (service, env, breaker), timeline in sorted(told.items()):
        instances = present.get((service, env, breaker), {}).get("instances")
        known = [row for row in instances if isinstance(row, dict)] if isinstance(instances, list) else []
        points = worst_of(_points(timeline, known, window))
        lane = Lane(breaker, _drawn(points, window), window.url("breakers", service, breaker))
        if lane.changed:
            found.setdefault((service, env), []).append(lane)
    return tuple(
        Swimlanes(service, env, window.url("services", service), tuple(made))
        for (service, env), made in found.items()
    )


Point = tuple[int, str, str]
"""From when (ns), in which state, and the transition's own time ("" where it only began to be watched)."""


def worst_of(by_instance: Mapping[str, Sequence[Point]]) -> list[Point]:
    """Merge the time lines of instances: at each moment the state of the worst one."""
    now: dict[str, str] = {}
    merged: list[Point] = []
    changes = sorted(
        (at, name, state, since) for name, points in by_instance.items() for at, state, since in points
    )
    for index, (at, name, state, since) in enumerate(changes):
        now[name] = state
        if index + 1 < len(changes) and changes[index + 1][0] == at:
            continue
        worst = min(now.values(), key=WORST.index)
        if not merged or merged[-1][1] != worst:
            merged.append((at, worst, since))
    return merged


def _points(timeline: Iterable[Row], instances: Iterable[Row], window: Window) -> dict[str, list[Point]]:
    present = {text_of(row, "instance"): row for row in instances}
    told: dict[str, list[Row]] = {name: [] for name in present}
    for row in sorted(timeline, key=at_ns):
        told.setdefault(text_of(row, "instance"), []).append(row)
    start = round(window.start.timestamp() * NS_PER_S)
    points = {}
    for name, rows in told.items():
        first = rows[0].get("from") if rows else present.get(name, {}).get("state")
        changes = [(max(at_ns(row), start), state_slug(row.get("to")), text_of(row, "at")) for row in rows]
        points[name] = [(start, state_slug(first), ""), *changes]
    return points


def _drawn(points: Sequence[Point], window: Window) -> tuple[Stretch, ...]:
    start, end = (round(at.timestamp() * NS_PER_S) for at in (window.start, window.end))
    scale = 100 / (end - start)
    made = []
    for (begin, state, since), (until, _, _) in pairwise([*points, (end, "", "")]):
        left, right = max(begin, start), min(until, end)
        if right > left:
            made.append(Stretch(state, (left - start) * scale, (right - left) * scale, since))
    return tuple(made)


def at_ns(row: Row) -> int:
    """Give a transition's time, 0 if it cannot be read."""
    try:
        return nanoseconds(text_of(row, "at"))
    except ValueError:
        return 0
