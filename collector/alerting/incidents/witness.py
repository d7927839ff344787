"""
What the store knows about an incident: where its callers and causes are, who feels it, and the lines that tell it.

Everything is bounded: it is copied into ``state/`` and shown whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from collector.alerting.incidents.incident import Incident
from collector.alerting.topology import Call, Topology
from collector.health.causes import causes
from collector.health.facts import board
from collector.query.search import LOGS, compile_search
from collector.query.window import SECOND_NS, Window
from collector.read import call_minutes, logs, traces
from collector.read.blast import Opening, blast_radii
from collector.read.deploys import deploys
from collector.read.sql import Reader, Row
from collector.read.transitions import Chosen, transitions

# How far before an incident the trouble is looked for, and how much of it is copied.
LEAD = timedelta(minutes=15)
LONGEST = timedelta(hours=6)
LOGS_MOST = 30
TRACES_MOST = 10
TRANSITIONS_MOST = 100
DEPLOYS_MOST = 30
CAUSES_MOST = 5
TEXT_CHARS = 1000
# What a map of the present is drawn from.
RECENT = timedelta(minutes=5)

Ask = Callable[[], Reader]


@dataclass(frozen=True)
class Witness:
    """
    Asks the store.

    Attributes:
        ask: Gives a reader.
        slos: Gives service -> its objective, as the catalogue says.
    """

    ask: Ask
    slos: Callable[[], Mapping[str, str]] = dict

    def for_one_look(self) -> Witness:
        """Give one whose questions share a reader: what several incidents ask alike, whose causes, who is ill, is read once."""
        reader = self.ask()
        return replace(self, ask=lambda: reader)

    def topology(self, now: datetime) -> Topology:
        """
        Give the calls of the last five minutes, and how probably each node is a cause.

        Raises:
            FuseboardError: The engine is away, or busy.
        """
        reader, window = self.ask(), _window(now - RECENT, now, now)
        calls = [
            Call(
                caller,
                callee,
                env,
                sum(its.calls.values()),
                _ratio(sum(its.failed.values()), sum(its.calls.values())),
            )
            for (caller, callee, env), its in call_minutes.edges(reader, window, "").items()
        ]
        scores = (
            {(row["service"], row["env"]): row["score"] for row in causes(reader, window, "")}
            if calls
            else {}
        )
        return Topology(now, tuple(calls), scores)

    def testimony(self, incident: Incident, now: datetime) -> dict[str, Any]:
        """
        Give what explains *incident* now: ``{causes, impact, logs, traces, transitions, deploys, health}``.

        Raises:
            FuseboardError: The engine is away, or busy.
        """
        reader = self.ask()
        end = min(incident.resolved_at or now, incident.opened_at + LONGEST)
        window = _window(incident.opened_at - LEAD, end, now)
        env = incident.env
        found = causes(reader, window, env)[:CAUSES_MOST]
        concerned = _concerned(incident, found)
        return {
            "causes": found,
            "impact": _impact(reader, incident, window),
            "logs": _logs(reader, concerned, env, window, incident.pinned),
            "traces": _traces(reader, concerned, env, window, incident.pinned),
            "transitions": [
                each.row() for each in transitions(reader, window, Chosen(env=env))[:TRANSITIONS_MOST]
            ],
            "deploys": _deploys(reader, env, window),
            "health": _health(reader, concerned, env, window, self.slos()),
        }


def _window(start: datetime, end: datetime, now: datetime) -> Window:
    return Window(_ns(start), max(_ns(end), _ns(start) + SECOND_NS), _ns(now))


def _ns(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _concerned(incident: Incident, found: list[Row]) -> list[str]:
    """Give the services whose words are kept: the root, the likeliest cause and the way to it."""
    names = [incident.service, *(name for cause in found[:2] for name in (cause["service"], *cause["path"]))]
    return list(dict.fromkeys(name for name in names if not name.startswith("rule:")))[:8]


def _impact(reader: Reader, incident: Incident, window: Window) -> Row | None:
    if incident.service.startswith("rule:"):
        return None
    opening = Opening(incident.env, incident.service, _ns(incident.opened_at - RECENT))
    return blast_radii(reader, [opening], window)[0]


def _logs(
    reader: Reader, services: list[str], env: str, window: Window, before: Mapping[str, Any]
) -> list[Row]:
    """Give the first error records of the services concerned; what was kept once stays: the first lines tell most."""
    kept: list[Row] = before.get("logs") or []
    if kept or not services:
        return kept
    names = " OR ".join(f"service:{_quoted(name)}" for name in services)
    search = compile_search(f"severity:>=error AND ({names})", LOGS, window.now_ns)
    question = logs.LogQuestion(logs.Slice(window, search, env), "asc", LOGS_MOST)
    fields = ("id", "occurred_at", "service", "severity", "body", "trace_id")
    rows = logs.page(reader, question, warn=False).rows
    return [{name: _bounded(row[name]) for name in fields} for row in rows]


def _traces(
    reader: Reader, services: list[str], env: str, window: Window, before: Mapping[str, Any]
) -> list[Row]:
    kept: list[Row] = before.get("traces") or []
    found = list(kept)
    for service in services if not kept else ():
        wanted = traces.Wanted(window, env=env, service=service, error=True)
        found += traces.search(reader, wanted, traces.Page("newest", TRACES_MOST - len(found))).rows
        if len(found) >= TRACES_MOST:
            break
    names = ("trace_id", "root_service", "root_name", "start", "duration_ms", "spans", "services", "error")
    return [{name: _bounded(row.get(name)) for name in names} for row in found[:TRACES_MOST]]


def _deploys(reader: Reader, env: str, window: Window) -> list[Row]:
    """Give the versions that were first seen in *window*."""
    from_ns = window.params()["start"]
    rows = deploys(reader, window, env, "", 200)
    began = [row for row in rows if str(row["first_seen"]).replace("T", " ").rstrip("Z") >= str(from_ns)]
    return began[:DEPLOYS_MOST]


def _health(
    reader: Reader, services: list[str], env: str, window: Window, slos: Mapping[str, str]
) -> dict[str, str]:
    if not services:
        return {}
    near = window.last(60)
    rows = reader.once(
        ("verdicts", near.start_ns, near.end_ns, env), lambda: board(reader, near, env, slos=slos)
    )
    return {row["service"]: row["health"] for row in rows if row["service"] in services}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _bounded(value: Any) -> Any:
    return value[:TEXT_CHARS] if isinstance(value, str | list) else value
