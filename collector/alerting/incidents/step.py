"""
One round of incidents: alerts join the one of their root, pages open new ones, what has one root is merged, what is over ends.

A page opens an incident, any other firing alert joins one that is there. Silenced alerts wait until nobody silences them. When every alert of an
incident is resolved it is resolved; a page of the same root soon after opens it again. An incident that people resolved by hand keeps the alerts that still
fire; only another page of its root opens it again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from collector.alerting.evaluate import Alert, Change, sentence
from collector.alerting.events import Event, incident_event
from collector.alerting.incidents import store
from collector.alerting.incidents.incident import Entry, EntryKind, Incident, Key, opened_by
from collector.alerting.topology import Folding
from collector.state.tables import flaps

# What happens to an incident and is told; the rest is only written down.
TOLD = frozenset({"opened", "merged", "resolved", "reopened"})
TEXT_CHARS = 500
# Roots that page in one round and are incidents of their own; those beyond are one per rule: nobody reads a thousand incidents.
STORM = 100


@dataclass(frozen=True)
class IncidentSettings:
    """When incidents begin, and when they begin again."""

    severities: tuple[str, ...] = ("page", "critical")
    """Values of the label ``severity`` whose alerts open incidents."""
    reopen_s: float = 1800.0
    """A page of the same root within this many seconds after an incident was resolved opens it again."""


@dataclass(frozen=True)
class Standing:
    """Alert -> incident of what fires, and the alerts whose incident somebody acknowledged."""

    of: Mapping[str, str] = field(default_factory=dict)
    acknowledged: Collection[str] = ()


@dataclass
class Step:
    """
    One round, in one transaction.

    Args:
        tx: In which the changes were applied.
        settings: When incidents open.
        folding: Where alerts belong.
        firing: All firing alerts.
        now: Aware.
    """

    tx: Connection
    settings: IncidentSettings
    folding: Folding
    firing: Sequence[Alert]
    now: datetime
    _living: dict[str, Incident] = field(default_factory=dict, init=False)
    _new: dict[str, Incident] = field(default_factory=dict, init=False)
    _changed: set[str] = field(default_factory=set, init=False)
    _joined: dict[str, list[tuple[str, Sequence[Mapping[str, Any]]]]] = field(
        default_factory=lambda: defaultdict(list), init=False
    )
    _happened: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list), init=False)

    def run(
        self, changes: Sequence[Change], silenced: Callable[[Alert], bool], public_url: str
    ) -> tuple[list[Event], Standing]:
        """Take the step; give what is told, and who belongs where now."""
        self._living = {incident.id: incident for incident in store.living(self.tx)}
        of = store.of_firing(self.tx) if self.firing else {}
        if self.firing or self._living:
            self._note_ends(changes)
            self._place([alert for alert in self.firing if alert.id not in of and not silenced(alert)], of)
            self._merge(of)
            self._end(of)
        events = self._write(of, public_url)
        acknowledged = {incident.id for incident in self._living.values() if incident.state == "acknowledged"}
        return events, Standing(of, {one for one, incident in of.items() if incident in acknowledged})

    def _note_ends(self, changes: Sequence[Change]) -> None:
        ended = {change.alert.id: change.alert for change in changes if change.kind == "resolved"}
        for one, ids in (store.of_alerts(self.tx, list(ended)) if self._living else {}).items():
            for incident_id in ids:
                self._say(incident_id, "alert_resolved", _line(ended[one]))

    def _place(self, alerts: Iterable[Alert], of: dict[str, str]) -> None:
        alerts = list(alerts)
        if not alerts:
            return
        by_key = store.merged_keys(self.tx, list(self._living)) if self._living else {}
        by_key |= {self._root(incident): incident.id for incident in self._living.values()}
        recent: dict[Key, Incident] | None = None
        for alert in sorted(alerts, key=lambda each: (each.fired_at or each.pending_since, each.id)):
            fold = self.folding.fold(alert)
            key = fold.root if fold else _rule_key(alert)
            if key not in by_key and len(self._new) >= STORM:
                key = _rule_key(alert)
            incident_id = by_key.get(key)
            if incident_id is None and alert.labels.get("severity", "") in self.settings.severities:
                recent = self._recent() if recent is None else recent
                incident_id = self._open(alert, key, recent)
                by_key[key] = incident_id
            if incident_id is not None:
                of[alert.id] = incident_id
                self._joined[incident_id].append((alert.id, fold.evidence if fold else ()))
                self._say(incident_id, "alert_joined", _line(alert))

    def _recent(self) -> dict[Key, Incident]:
        since = self.now - timedelta(seconds=self.settings.reopen_s)
        return {incident.key: incident for incident in store.resolved_since(self.tx, since)}

    def _open(self, alert: Alert, key: Key, recent: Mapping[Key, Incident]) -> str:
        before = recent.get(key)
        if before is not None:
            again = replace(before, state="open", resolved_at=None, acknowledged_at=None, updated_at=self.now)
            self._living[again.id] = again
            self._changed.add(again.id)
            self._say(again.id, "reopened", sentence(alert)[:TEXT_CHARS])
            return again.id
        incident = opened_by(alert, key, self.now)
        self._living[incident.id] = self._new[incident.id] = incident
        self._say(incident.id, "opened", sentence(alert)[:TEXT_CHARS])
        return incident.id

    def _root(self, incident: Incident) -> Key:
        return incident.key if incident.service.startswith("rule:") else self.folding.way(incident.key)[0]

    def _merge(self, of: dict[str, str]) -> None:
        """Merge what has one root into the incident of the root itself, else into the oldest."""
        stories: dict[Key, list[Incident]] = defaultdict(list)
        for incident in self._living.values():
            stories[self._root(incident)].append(incident)
        for root, found in stories.items():
            if len(found) < 2:
                continue
            into = min(found, key=lambda each: (each.key != root, each.opened_at, each.id))
            for other in found:
                if other is not into:
                    self._merge_one(other, into, of)

    def _merge_one(self, other: Incident, into: Incident, of: dict[str, str]) -> None:
        way = self.folding.way(other.key)[1]
        if other.id in self._new:  # it was never written: let it be as if it had not been
            del self._new[other.id]
            moved: Sequence[tuple[str, Sequence[Mapping[str, Any]]]] = self._joined.pop(other.id, [])
            self._happened.pop(other.id, None)
            del self._living[other.id]
        else:
            moved = store.members(self.tx, other.id)
            self._living[other.id] = replace(other, state="merged", merged_into=into.id, updated_at=self.now)
            self._changed.add(other.id)
            self._say(other.id, "merged", f"into {into.id}, {into.title}")
        self._joined[into.id] += [(one, [*evidence, *way]) for one, evidence in moved]
        of.update(dict.fromkeys((one for one, incident in of.items() if incident == other.id), into.id))
        why = way[0]["message"] if way else "they have one root"
        self._say(into.id, "merged", f"{other.title} ({other.id}): {why}")

    def _end(self, of: Mapping[str, str]) -> None:
        firing = set(of.values()) | self._flapping()
        for incident in list(self._living.values()):
            if incident.state != "merged" and incident.id not in firing:
                self._living[incident.id] = replace(
                    incident, state="resolved", resolved_at=self.now, updated_at=self.now
                )
                self._changed.add(incident.id)
                self._say(incident.id, "resolved", "every alert is resolved")

    def _flapping(self) -> set[str]:
        """Give the incidents of alerts whose end is not told yet, because they flap."""
        ended = self.tx.execute(select(flaps.c.ended_id).where(flaps.c.ended_id.is_not(None))).scalars().all()
        found = store.of_alerts(self.tx, [str(one) for one in ended])
        return {incident_id for ids in found.values() for incident_id in ids}

    def _say(self, incident_id: str, kind: EntryKind, text: str) -> None:
        self._happened[incident_id].append(Entry(self.now, kind, text))

    def _write(self, of: Mapping[str, str], public_url: str) -> list[Event]:
        firing: dict[str, int] = defaultdict(int)
        for incident_id in of.values():
            firing[incident_id] += 1
        store.create(self.tx, list(self._new.values()), self._joined, self._happened)
        last = {incident_id: len(self._happened[incident_id]) for incident_id in self._new}
        for incident_id, joining in self._joined.items():
            if incident_id not in self._new:
                store.join(self.tx, incident_id, joining, self.now)
        for incident_id in self._changed - set(self._new):
            store.change(self.tx, self._living[incident_id])
        for incident_id, happened in self._happened.items():
            if incident_id not in self._new:
                last[incident_id] = store.note(self.tx, incident_id, happened)
        return [
            incident_event(
                self._living[incident_id], entry, number, firing[incident_id], self.now, public_url
            )
            for incident_id, happened in self._happened.items()
            for number, entry in enumerate(happened, start=last[incident_id] - len(happened) + 1)
            if entry.kind in TOLD
        ]


def _rule_key(alert: Alert) -> Key:
    return f"rule:{alert.rule}", alert.labels.get("env", "")


def _line(alert: Alert) -> str:
    labels = alert.labels
    who = labels.get("service") or labels.get("instance") or ""
    return f"{alert.rule}{f' ({who})' if who else ''}: {sentence(alert)}"[:TEXT_CHARS]
