"""An incident as Markdown: what is read, and completed by hand, afterwards. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# What would begin markup, or end a cell of a table.
_MARKUP = re.compile(r"([\\`*_\[\]<>|#~])")

Row = Mapping[str, Any]


def markdown(incident: Row) -> str:
    """
    Write *incident* (as the API shows it) as Markdown.

    Words of services and people are escaped: they are text here, whatever they hold.
    """
    return "\n".join(_lines(incident)).rstrip() + "\n"


def _lines(it: Row) -> Iterator[str]:
    yield f"# {_text(it['title'])}"
    yield ""
    yield from _facts(it)
    yield from _section("Summary", ["_Write here what happened, in three sentences._"])
    yield from _section("Impact", _impact(it.get("impact")))
    yield from _section("Suspected cause", _causes(it["causes"]))
    yield from _section("Time line (UTC)", _timeline(it["timeline"]))
    yield from _section("Alerts", _alerts(it["alerts"]))
    yield from _section("Log records", _logs(it["logs"]))
    yield from _section("Traces", _traces(it["traces"]))
    yield from _section("What we learned", ["_What went well, what did not, where we were lucky._"])
    yield from _section("Actions", ["- [ ] _who does what until when_"])


def _facts(it: Row) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    for name, value in (
        ("Incident", it["id"]),
        ("State", it["state"]),
        ("Severity", it["severity"]),
        ("Service", it["service"]),
        ("Environment", it["env"]),
        ("Opened", _at(it["opened_at"])),
        ("Acknowledged", _at(it["acknowledged_at"])),
        ("Resolved", _at(it["resolved_at"])),
        ("Alerts", str(it["alerts_count"])),
    ):
        if value:
            yield f"| {name} | {_text(value)} |"
    yield f"| Page | <{it['url']}> |"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield from ("", f"## {title}", "", *found)


def _impact(impact: Row | None) -> Iterator[str]:
    if not impact:
        return
    if impact.get("share"):
        yield f"- {impact['share']:.1%} of its requests failed"
    if impact.get("users_share"):
        yield f"- {impact['users_share']:.1%} of what users asked for was hit"
    for caller in impact.get("callers") or ():
        yield f"- caller {_text(caller['service'])}: {caller['share']:.0%} of its requests"
    for endpoint in impact.get("endpoints") or ():
        yield f"- endpoint {_text(endpoint)} failed"


def _causes(causes: Iterable[Row]) -> Iterator[str]:
    for cause in causes:
        way = " → ".join(map(_text, cause.get("path") or ()))
        began = f", began {_at(cause['began'])}" if cause.get("began") else ""
        yield f"- **{_text(cause['service'])}** (score {cause['score']:.2f}{began}){f'; way: {way}' if way else ''}"
        for evidence in cause.get("evidence") or ():
            yield f"  - {_text(evidence['message'])}"


def _timeline(entries: Iterable[Row]) -> Iterator[str]:
    for number, entry in enumerate(entries):
        if not number:
            yield "| at | what | |"
            yield "|---|---|---|"
        by = f" ({_text(entry['by'])})" if entry.get("by") else ""
        yield f"| {_at(entry['at'])} | {_text(entry['kind'].replace('_', ' '))}{by} | {_text(entry['text'])} |"


def _alerts(alerts: Iterable[Row]) -> Iterator[str]:
    for alert in alerts:
        until = f" until {_at(alert['resolved_at'])}" if alert["resolved_at"] else ", still firing"
        yield f"- {_text(alert['rule'])}, {_at(alert['fired_at'])}{until}: {_text(alert['message'])}"
        for step in alert.get("evidence") or ():
            yield f"  - because {_text(step['message'])}"


def _logs(records: Iterable[Row]) -> Iterator[str]:
    for record in records:
        yield f"- {_at(record['occurred_at'])} {_text(record['service'])} {_text(record['severity'])}: {_text(record['body'])}"


def _traces(found: Iterable[Row]) -> Iterator[str]:
    for trace in found:
        yield f"- {_text(trace['trace_id'])}: {_text(trace['root_service'])} {_text(trace['root_name'])}, {trace['duration_ms']} ms"


def _at(time: str | None) -> str:
    return time[:19].replace("T", " ") if time else ""


def _text(value: object) -> str:
    """Give *value* on one line, without meaning to Markdown."""
    return _MARKUP.sub(r"\\\1", " ".join(str(value if value is not None else "").split()))
