"""
From changes of alerts to what receivers are told: the step between ``history.apply`` and ``outbox.enqueue``, in their transaction.

::

    silences, inhibition (muting.py)    whom nobody is told of now
    direct.py                           no [[route]]: each transition at once, to every receiver that asks for it

It runs each round, also when nothing changed: a silence may have ended. Everything it must remember stands in ``state/``, so a kill at any
point loses and doubles nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from collector.alerting import direct
from collector.alerting.evaluate import Alert, Change
from collector.alerting.events import Event
from collector.alerting.muting import Muting
from collector.alerting.silences import silence, store


class Planner:
    """
    Plans one round.

    Args:
        public_url: Where people open the dashboards.
    """

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url

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
        muting = Muting(silence.active(store.living(tx, now), now), (), firing, {})
        return direct.plan(tx, changes, firing, muting, now, self._public_url)


def after(living: Iterable[Alert], changes: Iterable[Change]) -> list[Alert]:
    """Give the *living* alerts as *changes* leave them."""
    alerts = {alert.id: alert for alert in living}
    for change in changes:
        if change.kind in ("pending", "firing"):
            alerts[change.alert.id] = change.alert
        else:
            alerts.pop(change.alert.id, None)
    return list(alerts.values())
