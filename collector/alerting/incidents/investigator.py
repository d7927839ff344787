"""
Look at the store every quarter of a minute, or every minute while what fires stays the same and no incident lives: draw the topology for the planner, and pin to open incidents what explains them.

An incident is looked at while it lives and once after its end; what it had is kept when the engine is away. Only the collector that holds alerting's lease writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from collector.alerting import history
from collector.alerting.incidents import store
from collector.alerting.incidents.incident import LIVING, Entry, Incident
from collector.alerting.incidents.witness import Witness
from collector.alerting.plan import Planner
from collector.errors import FuseboardError
from collector.state import State

log = structlog.get_logger(__name__)

EVERY_S = 15.0
# While the same fires and no incident lives; what the planner knows counts for half as long again.
SAME = timedelta(seconds=60)
# Of one look: the newest; a storm of incidents must not keep the engine busy.
LOOKED_AT_MOST = 10
# The last words about an incident may arrive a little after its end.
LATE = timedelta(seconds=60)


@dataclass
class Investigator:
    """
    Looks once per call; used by one thread.

    Attributes:
        state: Where incidents stand.
        witness: Asks the store.
        planner: Gets the topology.
        leads: Whether this collector holds the lease, asked in the transaction that writes.
        attend: Has loaded what gathers in the journal until somebody reads; called when what fires has changed since the last look.
    """

    state: State
    witness: Witness
    planner: Planner
    leads: Callable[[Connection, datetime], bool]
    attend: Callable[[], object] = bool
    _firing: Mapping[str, int] = field(default_factory=dict, init=False)
    _drawn: datetime | None = field(default=None, init=False)

    def look(self, now: datetime) -> int:
        """
        Draw the topology and pin; give the number of incidents that were pinned.

        A store that is away changes nothing, and while nothing fires and nothing is left to pin it is not asked.
        """
        with self.state.read() as tx:
            states = history.states(tx)
        firing = {rule: counts["firing"] for rule, counts in states.items() if "firing" in counts}
        try:
            wanted = bool(self._wanted(now))
            if not wanted and (not states or not self._is_due(firing, now)):
                return 0
            if firing != self._firing:
                self.attend()
            witness = self.witness.for_one_look()
            self.planner.topology = witness.topology(now)
            self._firing, self._drawn = firing, now
            return sum(self._pin(incident, witness, now) for incident in self._wanted(now))
        except FuseboardError as error:
            log.info("incidents_unexplained", code=error.code, error=error.message)
            return 0

    def _is_due(self, firing: Mapping[str, int], now: datetime) -> bool:
        """Whether something else fires than at the last look, or that was long ago."""
        return self._drawn is None or firing != self._firing or now - self._drawn >= SAME

    def _wanted(self, now: datetime) -> list[Incident]:
        with self.state.read() as tx:
            ended = [
                incident
                for incident in store.resolved_since(tx, now - timedelta(hours=1))
                if incident.resolved_at
                and (incident.pinned_at is None or incident.pinned_at < incident.resolved_at + LATE)
                and now >= incident.resolved_at + LATE
            ]
            return [*store.living(tx), *ended][-LOOKED_AT_MOST:]

    def _pin(self, incident: Incident, witness: Witness, now: datetime) -> bool:
        found = witness.testimony(incident, now)
        with self.state.write() as tx:
            current = store.find(tx, incident.id)
            if current is None or not self.leads(tx, now) or current.state == "merged":
                return False
            store.note(tx, incident.id, _health_entries(current, found, now))
            store.change(tx, replace(current, pinned=found, pinned_at=now))
        return True


def _health_entries(incident: Incident, found: Mapping[str, Any], now: datetime) -> list[Entry]:
    """Give the verdicts that changed since the last look, while the incident lives."""
    before = incident.pinned.get("health") or {}
    if incident.state not in LIVING:
        return []
    return [
        Entry(now, "health", f"{service}: {before.get(service, 'not looked at')} → {health}")
        for service, health in sorted(found["health"].items())
        if before.get(service) != health
    ]
