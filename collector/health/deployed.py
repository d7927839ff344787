"""
Deploys: what telemetry saw and what was told of them, each compared with what served before it or serves beside it, with a verdict.

One row per deploy: a version that was first seen, with the marker that tells of it; or a marker alone, where a version came back or nothing of it
was seen. The same number of statements for any number of deploys.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from collector.health.regression import LEVELS, Judged, Side, judge
from collector.query.search import Condition
from collector.query.window import SECOND_NS, Window, parse_time, rfc_3339
from collector.read import comparison
from collector.read import deploys as deploy_reads
from collector.read.comparison import Part
from collector.read.logs import Slice
from collector.read.patterns import PatternQuestion, patterns
from collector.read.sql import Reader, Row
from collector.read.transitions import Transition

MINUTE_S, DAY_S = 60, 86_400
# A marker so long before a version's first sight, or so shortly after it, tells of it: pipelines tell when they begin or when they are done.
_BEFORE_NS, _AFTER_NS = 2 * 3600 * SECOND_NS, 1800 * SECOND_NS

# Of the newest deploys of one service the log patterns are looked for: records are read for it, not rollups.
_PATTERNED, _PATTERNS = 3, 10
_OPENINGS = 20
# A comparison whose windows ended so long ago changes no more, but for late data.
_OVER_S = 300
_NAMES = {"beside": "the version beside it", "before": "before", "day_before": "at that time the day before"}


Parts = tuple[Part, ...]
"""The windows of one deploy."""
Compared = tuple[Mapping[tuple[str, bool], Side], Mapping[str, Sequence[Transition]]]
"""Its numbers by part and whether by its version, and the openings by part."""


@dataclass(slots=True)
class Event:
    """
    One deploy.

    Attributes:
        at_ns: First seen, else as told.
        markers: What was told of it, newest first.
        until_ns: The next deploy of its service, None = it is the newest.
    """

    service: str
    env: str
    version: str
    at_ns: int
    first_seen: str | None = None
    last_seen: str | None = None
    markers: list[Mapping[str, Any]] = field(default_factory=list)
    previous: str | None = None
    until_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for; *service* "" = all, without patterns; *span_s* is the length of each side."""

    env: str = ""
    service: str = ""
    limit: int = 100
    span_s: int = 1800


def deployed(reader: Reader, window: Window, asked: Asked, markers: Sequence[Mapping[str, Any]]) -> list[Row]:
    """
    Return the deploys of *window*, the newest first.

    Args:
        reader: The store.
        window: Versions that were seen in it, and markers of it.
        asked: Which, and how they are compared.
        markers: ``{id, service, env, version, at_ns, …}``, newest first.
    """
    versions = deploy_reads.deploys(reader, window, asked.env, asked.service, asked.limit)
    events = _events(versions, markers)
    history = deploy_reads.history(reader, sorted({event.service for event in events}))
    _ordered(events, history)
    events = sorted(events, key=lambda event: (-event.at_ns, event.service, event.version))[: asked.limit]
    compared = _compared_all(reader, [_parts(event, window, asked.span_s) for event in events], window)
    rows = [_row(event, *its) for event, its in zip(events, compared, strict=True)]
    if asked.service:
        for event, row in list(zip(events, rows, strict=True))[:_PATTERNED]:
            row["new_patterns"] = _new_patterns(reader, event, window, asked.span_s)
    return rows


def _events(versions: Iterable[Row], markers: Sequence[Mapping[str, Any]]) -> list[Event]:
    """Put what was told beside what was seen."""
    seen = [
        Event(row["service"], row["env"], row["version"], parse_time(row["first_seen"], "first_seen", 0), row["first_seen"], row["last_seen"])
        for row in versions
    ]  # fmt: skip
    by_version: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in seen:
        by_version[event.service, event.version].append(event)
    alone = []
    for marker in markers:
        known = [
            event
            for event in by_version[marker["service"], marker["version"]]
            if marker["env"] in ("", event.env)
        ]
        near = [
            event for event in known if event.at_ns - _BEFORE_NS <= marker["at_ns"] <= event.at_ns + _AFTER_NS
        ]
        for event in near:
            event.markers.append(marker)
        if not near:
            envs = [event.env for event in known] or [marker["env"]]
            alone += [
                Event(marker["service"], env, marker["version"], marker["at_ns"], markers=[marker])
                for env in envs
            ]
    return seen + alone


def _ordered(events: Iterable[Event], history: Mapping[tuple[str, str], Sequence[tuple[str, int]]]) -> None:
    """Say what came before and what came next."""
    by_service: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    events = list(events)
    for key, versions in history.items():
        by_service[key] += [(began, version) for version, began in versions]
    for event in events:
        by_service[event.service, event.env].append((event.at_ns, event.version))
    for event in events:
        known = sorted(set(by_service[event.service, event.env]))
        event.previous = next((version for at, version in reversed(known) if at < event.at_ns and version != event.version), None)  # fmt: skip
        event.until_ns = next(
            (at for at, version in known if at > event.at_ns and version != event.version), None
        )


def _parts(event: Event, window: Window, span_s: int) -> Parts:
    at_s = event.at_ns // SECOND_NS
    first_s = at_s // MINUTE_S * MINUTE_S
    ends = [at_s + span_s, min(window.end_ns, window.now_ns) // SECOND_NS]
    end_s = min([*ends, event.until_ns // SECOND_NS] if event.until_ns else ends)
    end_s = max(-(-end_s // MINUTE_S) * MINUTE_S, first_s + MINUTE_S)
    length_s = end_s - first_s
    spans = {
        "after": (first_s, end_s),
        "beside": (first_s, end_s),
        "before": (first_s - span_s, first_s),
        "day_before": (first_s - DAY_S, first_s - DAY_S + length_s),
    }
    return tuple(
        Part(0, name, event.service, event.env, event.version, max(start, 0), end)
        for name, (start, end) in spans.items()
    )


def _compared_all(reader: Reader, deploys: Sequence[Parts], window: Window) -> list[Compared]:
    """Give what each of *deploys* is judged by; where all windows have been over for some minutes it serves the next question, too."""
    over_s = window.now_ns // SECOND_NS - _OVER_S
    found = reader.parts(
        deploys,
        lambda missing: _read(reader, missing),
        lambda parts: all(part.end_s <= over_s for part in parts),
    )
    return [found[parts] for parts in deploys]


def _read(reader: Reader, deploys: Sequence[Parts]) -> dict[Hashable, Compared]:
    """Read the numbers and the openings of *deploys*, all together."""
    parts = [replace(part, number=number) for number, its in enumerate(deploys) for part in its]
    if not parts:
        return {}
    sides, opened = reader.together(
        lambda each: _sides(comparison.sides(each, parts, LEVELS), parts),
        lambda each: comparison.openings(each, parts),
    )
    return {
        its: (sides.get(number, {}), {part.name: opened[number, part.name] for part in its if (number, part.name) in opened})
        for number, its in enumerate(deploys)
    }  # fmt: skip


def _sides(rows: Iterable[Row], parts: Iterable[Part]) -> dict[int, dict[tuple[str, bool], Side]]:
    """Give (part, whether by the version) -> numbers, by deploy; of what it served, where it served anything."""
    lengths = {(part.number, part.name): part.end_s - part.start_s for part in parts}
    chosen: dict[tuple[int, str, bool], Row] = {}
    serving = set()
    for row in sorted(rows, key=lambda row: -row["serves"]):
        if row["serves"]:
            serving.add(row["number"])
        elif row["number"] in serving:
            continue
        own = bool(row["own"]) and row["part"] in ("after", "beside")
        chosen.setdefault((row["number"], row["part"], own), row)
    found: dict[int, dict[tuple[str, bool], Side]] = defaultdict(dict)
    for (number, name, own), row in chosen.items():
        quantiles = [value / 1e6 for value in row["quantiles_ns"] if value is not None]
        rate = round(row["weighted"] / lengths[number, name], 4)
        found[number][name, own] = Side(row["calls"], row["failed"], rate, tuple(quantiles))
    return dict(found)


def _row(
    event: Event, sides: Mapping[tuple[str, bool], Side], opened: Mapping[str, Sequence[Transition]]
) -> Row:
    after, baselines = _compared(event, sides, opened)
    judged = judge(after, baselines)
    return {
        "service": event.service,
        "env": event.env,
        "version": event.version,
        "at": rfc_3339(event.at_ns),
        "first_seen": event.first_seen,
        "last_seen": event.last_seen,
        "previous": event.previous,
        "markers": [_marker(marker) for marker in event.markers],
        "verdict": judged.verdict,
        "evidence": judged.evidence,
        "basis": _basis(judged, baselines),
        "after": _numbers(after),
        "baselines": {name: _numbers(side) for name, side in baselines},
        "breakers_opened": [_opening(each, event.service) for each in opened.get("after", ())][:_OPENINGS],
        "new_patterns": None,
    }


def _compared(
    event: Event,
    sides: Mapping[tuple[str, bool], Side],
    opened: Mapping[str, Sequence[Transition]],
) -> tuple[Side, list[tuple[str, Side]]]:
    """Choose what is compared with what: beside it, else before it and the day before."""
    before = sides.get(("before", False), Side())
    beside, own = sides.get(("beside", False), Side()), sides.get(("beside", True), Side())
    breakers = {part: _on_it(opened.get(part, ()), event.service) for part in ("after", "before")}
    if judge(own, [("", beside)]).verdict != "too_little_data":
        return own, [(_NAMES["beside"], beside)]
    # a service whose spans name no version: everything after the marker is the deploy's
    after = sides.get(("after", True)) or sides.get(("after", False), Side())
    baselines = [(_NAMES["before"], _with(before, breakers["before"]))]
    if day_before := sides.get(("day_before", False)):
        baselines.append((_NAMES["day_before"], day_before))
    return _with(after, breakers["after"]), baselines


def _with(side: Side, breakers: int) -> Side:
    return Side(side.calls, side.failed, side.rate, side.quantiles_ms, breakers)


def _on_it(openings: Iterable[Transition], service: str) -> int:
    return sum(1 for each in openings if each.service != service)


def _basis(judged: Judged, baselines: Sequence[tuple[str, Side]]) -> str | None:
    return None if judged.verdict == "too_little_data" else baselines[0][0]


def _numbers(side: Side) -> Row:
    quantiles = {
        name: side.quantile(level) for name, level in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99))
    }
    return {
        "calls": side.calls,
        "rate": side.rate,
        "error_ratio": None if side.error_ratio is None else round(side.error_ratio, 6),
        **{name: None if value is None else round(value, 3) for name, value in quantiles.items()},
    }


def _opening(opening: Transition, service: str) -> Row:
    return {
        "service": opening.service,
        "breaker": opening.breaker,
        "target": opening.target,
        "at": rfc_3339(opening.at_ns),
        "on_it": opening.service != service,
    }


def _marker(marker: Mapping[str, Any]) -> Row:
    return {
        **{name: value for name, value in marker.items() if name != "at_ns"},
        "at": rfc_3339(marker["at_ns"]),
    }


_OF_SERVICE = "service = {deployed:String}"


def _new_patterns(reader: Reader, event: Event, window: Window, span_s: int) -> list[Row]:
    """Return what the service logs since and did not log before, the commonest first."""
    end_ns = min(event.at_ns + span_s * SECOND_NS, window.end_ns, window.now_ns)
    if end_ns <= event.at_ns:
        return []
    around = Window(event.at_ns - span_s * SECOND_NS, end_ns, window.now_ns)
    slice_ = Slice(around, Condition(_OF_SERVICE, {"deployed": event.service}), event.env)
    question = PatternQuestion(slice_, _PATTERNS, 1, rfc_3339(event.at_ns), only_new=True)
    found = patterns(reader, question).rows
    return [
        {name: row[name] for name in ("template", "count", "severity", "first_seen", "query")}
        for row in found
    ]
