"""What the API shows of incidents: the list, and one with its time line and everything that was pinned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from collector.alerting import history
from collector.alerting.evaluate import Alert, sentence
from collector.alerting.events import alert_url, incident_url
from collector.alerting.incidents import store
from collector.alerting.incidents.export import markdown
from collector.alerting.incidents.incident import LIVING, Entry, Incident
from collector.alerting.timestamps import rfc3339
from collector.errors import Malformed, NotFound
from collector.state import State

STATES = ("open", "acknowledged", "resolved", "merged")


@dataclass(frozen=True)
class Answers:
    """
    Reads incidents.

    Attributes:
        state: Where they stand.
        public_url: Base of links.
    """

    state: State
    public_url: str

    def page(self, states: Sequence[str], limit: int) -> list[dict[str, Any]]:
        """
        Give the newest incidents in *states* (empty = all but merged ones).

        Raises:
            Malformed: A state is none (``bad_incident``).
        """
        for state in states:
            if state not in STATES:
                raise Malformed("bad_incident", f"state={state!r}: known are {', '.join(STATES)}", "state")
        with self.state.read() as tx:
            found = store.page(tx, tuple(states) or (*LIVING, "resolved"), limit)
            counts = store.counts(tx, [incident.id for incident in found])
        return [self._row(incident, counts.get(incident.id, (0, 0))) for incident in found]

    def one(self, incident_id: str) -> dict[str, Any]:
        """
        Give one incident with its alerts, time line, cause, impact and what was pinned.

        Raises:
            NotFound: ``unknown_incident``.
        """
        with self.state.read() as tx:
            incident = store.find(tx, incident_id)
            if incident is None:
                raise NotFound("unknown_incident", f"no incident has the id {incident_id[:100]!r}", "id")
            return self._whole(tx, incident)

    def export(self, incident_id: str) -> str:
        """
        Give one as Markdown, for what is written afterwards.

        Raises:
            NotFound: ``unknown_incident``.
        """
        return markdown(self.one(incident_id))

    def _row(self, incident: Incident, counts: tuple[int, int]) -> dict[str, Any]:
        causes = incident.pinned.get("causes") or []
        return {
            "id": incident.id,
            "title": incident.title,
            "state": incident.state,
            "severity": incident.severity,
            "service": incident.service,
            "env": incident.env,
            "opened_at": rfc3339(incident.opened_at),
            "acknowledged_at": incident.acknowledged_at and rfc3339(incident.acknowledged_at),
            "resolved_at": incident.resolved_at and rfc3339(incident.resolved_at),
            "updated_at": rfc3339(incident.updated_at),
            "merged_into": incident.merged_into,
            "alerts_firing": counts[0],
            "alerts_count": counts[1],
            "cause": causes[0] if causes else None,
            "url": incident_url(incident.id, self.public_url),
        }

    def _whole(self, tx: Connection, incident: Incident) -> dict[str, Any]:
        members = dict(store.members(tx, incident.id, store.ALERTS_MOST))
        alerts = history.by_ids(tx, list(members))
        counts = store.counts(tx, [incident.id]).get(incident.id, (0, 0))
        pinned = incident.pinned
        return {
            **self._row(incident, counts),
            "alerts": [
                self._alert(alert, members[alert.id])
                for alert in sorted(alerts, key=lambda one: (one.pending_since, one.id))
            ],
            "timeline": _timeline(store.entries(tx, incident.id), pinned),
            "causes": pinned.get("causes") or [],
            "impact": pinned.get("impact"),
            "logs": pinned.get("logs") or [],
            "traces": pinned.get("traces") or [],
            "pinned_at": incident.pinned_at and rfc3339(incident.pinned_at),
        }

    def _alert(self, alert: Alert, evidence: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {
            "id": alert.id,
            "rule": alert.rule,
            "state": alert.state,
            "labels": dict(alert.labels),
            "message": sentence(alert),
            "since": rfc3339(alert.pending_since),
            "fired_at": alert.fired_at and rfc3339(alert.fired_at),
            "resolved_at": alert.resolved_at and rfc3339(alert.resolved_at),
            "url": alert_url(alert, self.public_url),
            "evidence": list(evidence),
        }


def _timeline(entries: Sequence[Entry], pinned: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give what happened, oldest first: the incident's own entries among transitions and deploys."""
    rows = [
        {"at": rfc3339(entry.at), "kind": entry.kind, "by": entry.author, "text": entry.text, "url": None}
        for entry in entries
    ]
    rows += [_told(each, "transition", _transition) for each in pinned.get("transitions") or ()]
    rows += [_told(each, "deploy", _deploy) for each in pinned.get("deploys") or ()]
    return sorted(rows, key=lambda row: str(row["at"]))


def _told(each: Mapping[str, Any], kind: str, text: Callable[[Mapping[str, Any]], str]) -> dict[str, Any]:
    return {
        "at": each.get("at") or each.get("first_seen"),
        "kind": kind,
        "by": "",
        "text": text(each),
        "url": None,
    }


def _transition(each: Mapping[str, Any]) -> str:
    instance = f" ({each['instance']})" if each.get("instance") else ""
    reason = f": {each['reason']}" if each.get("reason") else ""
    target = f" on {each['target']}" if each.get("target") else ""
    return f"{each['service']}'s breaker {each['breaker']}{target}{instance} {each['from'] or '?'} → {each['to']}{reason}"


def _deploy(each: Mapping[str, Any]) -> str:
    return f"{each['service']} version {each['version']} was first seen"
