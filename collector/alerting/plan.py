"""
From changes of alerts to what receivers are told: the step between ``history.apply`` and ``outbox.enqueue``, in their transaction.

::

    silences, inhibition (muting.py)    whom nobody is told of now
    direct.py                           no [[route]]: each transition at once, to every receiver that asks for it
    topology.py                         which alerts are one story, and whose
    incidents/                          pages open incidents, others join, what is over ends
    flapping.py                         what comes and goes is told once
    routing/                            with routes: groups, their clocks, their receivers

It runs each round, also when nothing changed: a silence may have ended, a group may be due. Everything it must remember stands in ``state/``, so
a kill at any point loses and doubles nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from collector.alerting import direct
from collector.alerting.evaluate import Alert, Change
from collector.alerting.events import Event
from collector.alerting.flapping import damp
from collector.alerting.incidents import store as incidents
from collector.alerting.incidents.step import Step
from collector.alerting.inputs import BreakerNow
from collector.alerting.muting import Muting
from collector.alerting.routing.adopt import adopt
from collector.alerting.routing.dispatch import Dispatch
from collector.alerting.settings import AlertingSettings
from collector.alerting.silences import silence, store
from collector.alerting.silences.silence import Silence
from collector.alerting.topology import Folding, Topology
from collector.state.tables import alert_groups, flaps, held_alerts

# What the store knew longer ago explains nothing any more.
FRESH = timedelta(seconds=90)


def nobody_on_call() -> Mapping[str, str]:
    """Know of no catalogue."""
    return {}


class Planner:
    """
    Plans one round.

    Args:
        settings: Routes, inhibitions, incidents, receivers, public URL.
        on_call: Gives service -> the receiver its catalogue entry names.

    Attributes:
        topology: What the store knew when somebody looked last (incidents/investigator.py).
        breakers: As of the last round that could read them.
    """

    def __init__(
        self, settings: AlertingSettings, on_call: Callable[[], Mapping[str, str]] = nobody_on_call
    ) -> None:
        self.topology = Topology()
        self.breakers: Sequence[BreakerNow] = ()
        self._settings = settings
        self._on_call = on_call
        self._receivers = frozenset(receiver.name for receiver in settings.receivers)
        self._dispatch = Dispatch(settings.routes, self._known_on_call, settings.public_url)

    def plan(
        self, tx: Connection, changes: Sequence[Change], living: Sequence[Alert], now: datetime
    ) -> list[Event]:
        """
        Say what is told.

        Args:
            tx: In which *changes* were applied.
            changes: Of this round.
            living: Pending and firing alerts with the changes in them.
            now: Aware.
        """
        settings = self._settings
        firing = [alert for alert in living if alert.state == "firing"]
        if settings.flap_damping:
            changes = damp(tx, changes, now, routed=bool(settings.routes))
            annotated = {change.alert.id: change.alert for change in changes if change.kind == "firing"}
            firing = [annotated.get(alert.id, alert) for alert in firing]
        silences = silence.active(store.living(tx, now), now)
        folding = self._folding(firing, silences, now)
        told, standing = Step(tx, settings.incidents, folding, firing, now).run(
            changes, lambda alert: bool(silence.silencing(silences, alert.matchable)), settings.public_url
        )
        muting = Muting(silences, settings.inhibit, firing, folding if settings.topology_inhibition else None)
        started = {change.alert.id for change in changes if change.kind == "firing"}
        lost = adopt(tx, self._dispatch, [alert for alert in firing if alert.id not in started], now)
        if settings.routes:
            return [*self._dispatch.plan(tx, changes, firing, muting, standing, now), *told]
        known = {change.alert.id for change in changes}
        lost = [change for change in lost if change.alert.id not in known]
        return [*direct.plan(tx, [*lost, *changes], firing, muting, now, settings.public_url), *told]

    def muted(self, tx: Connection, firing: Sequence[Alert], now: datetime) -> Muting:
        """Give why each of *firing* is not told now."""
        silences = silence.active(store.living(tx, now), now)
        folding = self._folding(firing, silences, now) if self._settings.topology_inhibition else None
        return Muting(silences, self._settings.inhibit, firing, folding)

    def folding(self, tx: Connection, firing: Sequence[Alert], now: datetime) -> Folding:
        """Give where each of *firing* belongs."""
        return self._folding(firing, silence.active(store.living(tx, now), now), now)

    def _folding(self, firing: Sequence[Alert], silences: Sequence[Silence], now: datetime) -> Folding:
        fresh = self.topology.at is not None and now - self.topology.at < FRESH
        silenced = (
            [alert.id for alert in firing if silence.silencing(silences, alert.matchable)] if silences else ()
        )
        return Folding(
            self.topology if fresh else Topology(),
            self.breakers,
            firing,
            self._settings.incidents.severities,
            silenced,
        )

    def _known_on_call(self) -> Mapping[str, str]:
        return {service: name for service, name in self._on_call().items() if name in self._receivers}


def outstanding(tx: Connection) -> bool:
    """Whether anything that was planned waits for its time: a group, an end that is not told yet, an incident."""
    for column in (alert_groups.c.key, flaps.c.fingerprint, held_alerts.c.alert_id):
        if tx.execute(select(column).limit(1)).first() is not None:
            return True
    return bool(incidents.living(tx))


def after(living: Iterable[Alert], changes: Iterable[Change]) -> list[Alert]:
    """Give the *living* alerts as *changes* leave them."""
    alerts = {alert.id: alert for alert in living}
    for change in changes:
        if change.kind in ("pending", "firing"):
            alerts[change.alert.id] = change.alert
        else:
            alerts.pop(change.alert.id, None)
    return list(alerts.values())
