"""
Without routes: each transition is told at once, to every receiver that asks for its type.

A muted alert is *held*: told that it fires when nothing mutes it any more. What ends while it is held was never told and
is not told now; what was told as firing is told as resolved whatever mutes it then: a page that is open somewhere must end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from collector.alerting.evaluate import Alert, Change
from collector.alerting.events import Event, alert_event
from collector.alerting.muting import Muting
from collector.state.tables import held_alerts


def plan(
    tx: Connection,
    changes: Sequence[Change],
    firing: Sequence[Alert],
    muting: Muting,
    now: datetime,
    public_url: str,
) -> list[Event]:
    """Say what is told, and remember what is held."""
    held = set(tx.execute(select(held_alerts.c.alert_id)).scalars())
    told: list[Change] = []
    new: list[Change] = []
    for change in changes:
        if change.kind == "firing":
            (new if muting.of(change.alert) else told).append(change)
        elif change.kind == "resolved" and change.alert.id not in held:
            told.append(change)
    freed = list(_freed(held, firing, muting))
    ended = held - {alert.id for alert in firing}
    _forget(tx, [*ended, *(change.alert.id for change in freed)])
    if new:
        tx.execute(insert(held_alerts), [{"alert_id": change.alert.id, "since": now} for change in new])
    return [alert_event(change, now, public_url) for change in (*told, *freed)]


def _freed(held: set[str], firing: Sequence[Alert], muting: Muting) -> Iterator[Change]:
    """Give the held alerts that nothing mutes any more."""
    if held:
        yield from (Change("firing", alert) for alert in firing if alert.id in held and not muting.of(alert))


def _forget(tx: Connection, alert_ids: Sequence[str]) -> None:
    for start in range(0, len(alert_ids), 500):
        tx.execute(delete(held_alerts).where(held_alerts.c.alert_id.in_(alert_ids[start : start + 500])))
