"""What people do to incidents: acknowledge, note, resolve, merge. Each is written down with its author, and told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from collector.alerting import outbox
from collector.alerting.events import incident_event
from collector.alerting.incidents import store
from collector.alerting.incidents.incident import (
    AUTHOR_CHARS,
    LIVING,
    TEXT_CHARS,
    Entry,
    EntryKind,
    Incident,
)
from collector.alerting.receivers import Receiver
from collector.errors import Conflict, Malformed, NotFound
from collector.state import State


@dataclass(frozen=True)
class Hands:
    """
    Changes incidents by hand.

    Attributes:
        state: Where they stand.
        receivers: Who may be told.
        public_url: Base of links.
        clock: Current time, aware.
    """

    state: State
    receivers: Sequence[Receiver]
    public_url: str
    clock: Callable[[], datetime]

    def acknowledge(self, incident_id: str, by: str, text: str = "") -> None:
        """
        Say that somebody works on it: its alerts are not repeated. Again is no mistake.

        Raises:
            Malformed: Nobody says who (``bad_incident``).
            NotFound: ``unknown_incident``.
            Conflict: It is over (``incident_over``).
        """
        now = self.clock()
        with self.state.write() as tx:
            incident = _living(tx, incident_id)
            after = replace(incident, state="acknowledged", acknowledged_at=incident.acknowledged_at or now)
            self._do(tx, after, "acknowledged", by, text, now)

    def note(self, incident_id: str, by: str, text: str) -> None:
        """
        Write something down, also about one that is over.

        Raises:
            Malformed: Nobody says who, or nothing is said (``bad_incident``).
            NotFound: ``unknown_incident``.
        """
        if not text.strip():
            raise Malformed("bad_incident", "text: say something", "text")
        with self.state.write() as tx:
            self._do(tx, _found(tx, incident_id), "note", by, text, self.clock())

    def resolve(self, incident_id: str, by: str, text: str = "") -> None:
        """
        End it, whatever still fires; only another page of its root opens it again.

        Raises:
            Malformed: Nobody says who (``bad_incident``).
            NotFound: ``unknown_incident``.
            Conflict: It is over (``incident_over``).
        """
        now = self.clock()
        with self.state.write() as tx:
            incident = _living(tx, incident_id)
            self._do(tx, replace(incident, state="resolved", resolved_at=now), "resolved", by, text, now)

    def merge(self, incident_id: str, into_id: str, by: str, text: str = "") -> None:
        """
        Let all that belongs to it belong to *into_id*.

        Raises:
            Malformed: Nobody says who, or it is the same (``bad_incident``).
            NotFound: ``unknown_incident``.
            Conflict: One of them is over (``incident_over``).
        """
        if incident_id == into_id:
            raise Malformed("bad_incident", f"into: {into_id!r} is the same incident", "into")
        now = self.clock()
        with self.state.write() as tx:
            incident, into = _living(tx, incident_id), _living(tx, into_id)
            store.join(tx, into.id, store.members(tx, incident.id), now)
            gone = replace(incident, state="merged", merged_into=into.id)
            self._do(tx, gone, "merged", by, f"into {into.id}, {into.title}. {text}".rstrip(". "), now)
            self._do(tx, into, "merged", by, f"{incident.title} ({incident.id}). {text}".rstrip(". "), now)

    def _do(
        self, tx: Connection, incident: Incident, kind: EntryKind, by: str, text: str, now: datetime
    ) -> None:
        author = by.strip()
        if not author or len(author) > AUTHOR_CHARS:
            raise Malformed(
                "bad_incident", f"by: say who you are, in at most {AUTHOR_CHARS} characters", "by"
            )
        if len(text) > TEXT_CHARS:
            raise Malformed("bad_incident", f"text: {len(text)} characters, at most {TEXT_CHARS}", "text")
        after = replace(incident, updated_at=now)
        entry = Entry(now, kind, text.strip(), author)
        store.change(tx, after)
        number = store.note(tx, after.id, [entry])
        firing = store.counts(tx, [after.id]).get(after.id, (0, 0))[0]
        event = incident_event(after, entry, number, firing, now, self.public_url)
        outbox.enqueue(tx, [event], self.receivers, now)


def _found(tx: Connection, incident_id: str) -> Incident:
    incident = store.find(tx, incident_id)
    if incident is None:
        raise NotFound("unknown_incident", f"no incident has the id {incident_id[:100]!r}", "id")
    return incident


def _living(tx: Connection, incident_id: str) -> Incident:
    incident = _found(tx, incident_id)
    if incident.state not in LIVING:
        into = f" into {incident.merged_into}" if incident.merged_into else ""
        raise Conflict("incident_over", f"incident {incident_id} is {incident.state}{into}", "id")
    return incident
