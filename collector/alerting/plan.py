"""
From changes of alerts to what receivers are told: the step between ``history.apply`` and ``outbox.enqueue``, in their transaction.

::

    silences, inhibition (muting.py)    whom nobody is told of now
    direct.py                           no [[route]]: each transition at once, to every receiver that asks for it
    flapping.py                         what comes and goes is told once
    routing/                            with routes: groups, their clocks, their receivers

It runs each round, also when nothing changed: a silence may have ended, a group may be due. Everything it must remember stands in ``state/``, so
a kill at any point loses and doubles nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from collector.alerting import direct
from collector.alerting.evaluate import Alert, Change
from collector.alerting.events import Event
from collector.alerting.flapping import damp
from collector.alerting.muting import Muting
from collector.alerting.routing.adopt import adopt
from collector.alerting.routing.dispatch import Dispatch, Incidents
from collector.alerting.settings import AlertingSettings
from collector.alerting.silences import silence, store


def nobody_on_call() -> Mapping[str, str]:
    """Know of no catalogue."""
    return {}


class Planner:
    """
    Plans one round.

    Args:
        settings: Routes, inhibitions, receivers, public URL.
        on_call: Gives service -> the receiver its catalogue entry names.
    """

    def __init__(
        self, settings: AlertingSettings, on_call: Callable[[], Mapping[str, str]] = nobody_on_call
    ) -> None:
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
        firing = [alert for alert in living if alert.state == "firing"]
        muting = Muting(silence.active(store.living(tx, now), now), self._settings.inhibit, firing, {})
        if self._settings.flap_damping:
            changes = damp(tx, changes, now, routed=bool(self._settings.routes))
            annotated = {change.alert.id: change.alert for change in changes if change.kind == "firing"}
            firing = [annotated.get(alert.id, alert) for alert in firing]
        started = {change.alert.id for change in changes if change.kind == "firing"}
        lost = adopt(tx, self._dispatch, [alert for alert in firing if alert.id not in started], now)
        if self._settings.routes:
            return self._dispatch.plan(tx, changes, firing, muting, Incidents({}), now)
        known = {change.alert.id for change in changes}
        lost = [change for change in lost if change.alert.id not in known]
        return direct.plan(tx, [*lost, *changes], firing, muting, now, self._settings.public_url)

    def _known_on_call(self) -> Mapping[str, str]:
        return {service: name for service, name in self._on_call().items() if name in self._receivers}


def after(living: Iterable[Alert], changes: Iterable[Change]) -> list[Alert]:
    """Give the *living* alerts as *changes* leave them."""
    alerts = {alert.id: alert for alert in living}
    for change in changes:
        if change.kind in ("pending", "firing"):
            alerts[change.alert.id] = change.alert
        else:
            alerts.pop(change.alert.id, None)
    return list(alerts.values())
