r"""
The outbox: events that are committed and must reach their receivers.

::

    pending --2xx--> delivered
       | \--410, or three days over--> failed
       \--anything else--> pending, next_attempt_at later (retry.py)

A row is written in the transaction that changed the alert; an attempt is written before its
request leaves and completed after its answer. Killed in between, the row is still pending: the
event is sent again with the same ``webhook-id``, and the attempt without an end says what happened.
Source: "Transactional outbox", microservices.io; design.md §10.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, exists, func, insert, select, update

from collector.alerting.events import Event
from collector.alerting.retry import GIVE_UP_AFTER, Verdict
from collector.alerting.settings import Receiver
from collector.alerting.webhooks import Outcome
from collector.state.tables import attempts, outbox, receivers

# A receiver's 429 may hold back what it has not seen yet, but a new page not for longer than this.
MAX_HOLD = timedelta(hours=1)


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one receiver; *attempt* is the number of the current attempt."""

    id: int
    webhook_id: str
    receiver: str
    type: str
    payload: str
    created_at: datetime
    attempt: int


def enqueue(tx: Connection, events: Iterable[Event], to: Sequence[Receiver], now: datetime) -> int:
    """
    Write each event once for each receiver that asked for its type; give the number of rows.

    For a disabled receiver the row is written as failed: nothing vanishes silently.
    """
    wanted = [(event, receiver.name) for event in events for receiver in to if event.type in receiver.types]
    if not wanted:
        return 0
    query = select(receivers.c.name, receivers.c.disabled_reason).where(receivers.c.disabled_at.is_not(None))
    disabled = {row.name: row.disabled_reason for row in tx.execute(query)}
    # The caller's lease row is locked: nobody else takes these ids.
    last_id = int(tx.execute(select(func.coalesce(func.max(outbox.c.id), 0))).scalar_one())
    rows = [
        {
            "id": number,
            "webhook_id": event.webhook_id,
            "receiver": name,
            "subject": event.subject,
            "type": event.type,
            "payload": event.payload,
            "created_at": now,
            "next_attempt_at": now,
            "attempts": 0,
            "status": "failed" if name in disabled else "pending",
            "last_error": f"receiver is disabled: {disabled[name]}" if name in disabled else None,
        }
        for number, (event, name) in enumerate(wanted, start=last_id + 1)
    ]
    tx.execute(insert(outbox), rows)
    return len(rows)


def due(tx: Connection, receiver: str, now: datetime, limit: int) -> list[int]:
    """
    Give the ids of deliveries to attempt now, oldest first.

    Per subject only the oldest pending one: "resolved" must not overtake a "firing" that is
    still being retried.
    """
    earlier = outbox.alias("earlier")
    waits = exists().where(
        earlier.c.receiver == outbox.c.receiver,
        earlier.c.subject == outbox.c.subject,
        earlier.c.status == "pending",
        earlier.c.id < outbox.c.id,
    )
    held = exists().where(receivers.c.name == outbox.c.receiver, receivers.c.not_before > now)
    query = (
        select(outbox.c.id)
        .where(outbox.c.receiver == receiver, outbox.c.status == "pending", outbox.c.next_attempt_at <= now)
        .where(~waits, ~held)
        .order_by(outbox.c.id)
        .limit(limit)
    )
    return list(tx.execute(query).scalars())


def begin_attempt(tx: Connection, delivery_id: int, now: datetime) -> Delivery | None:
    """Count and record an attempt that is about to be made; None if the row is no longer pending."""
    mine = (outbox.c.id == delivery_id, outbox.c.status == "pending")
    if not tx.execute(update(outbox).where(*mine).values(attempts=outbox.c.attempts + 1)).rowcount:
        return None
    row = tx.execute(select(outbox).where(*mine)).one()
    tx.execute(insert(attempts).values(outbox_id=row.id, number=row.attempts, started_at=now))
    return Delivery(
        id=row.id,
        webhook_id=row.webhook_id,
        receiver=row.receiver,
        type=row.type,
        payload=row.payload,
        created_at=row.created_at,
        attempt=row.attempts,
    )


def finish_attempt(
    tx: Connection, delivery: Delivery, outcome: Outcome, verdict: Verdict, now: datetime
) -> None:
    """Record what the attempt brought and what becomes of the delivery and its receiver."""
    tx.execute(
        update(attempts)
        .where(attempts.c.outbox_id == delivery.id, attempts.c.number == delivery.attempt)
        .values(
            elapsed_ms=outcome.elapsed_ms,
            address=outcome.address,
            status=outcome.status,
            error=outcome.error,
            body_excerpt=outcome.body_excerpt,
        )
    )
    status = {"delivered": "delivered", "again": "pending"}.get(verdict.kind, "failed")
    changes: dict[str, Any] = {"status": status, "last_status": outcome.status, "last_error": outcome.error}
    if verdict.kind == "delivered":
        changes["delivered_at"] = now
    if verdict.again_at:
        changes["next_attempt_at"] = verdict.again_at
    tx.execute(update(outbox).where(outbox.c.id == delivery.id, outbox.c.status == "pending").values(changes))
    if verdict.kind == "gone":
        _disable(tx, delivery.receiver, now)
    elif outcome.retry_after_s and verdict.again_at:
        _hold(tx, delivery.receiver, min(verdict.again_at, now + MAX_HOLD))


def register(tx: Connection, receiver: Receiver) -> None:
    """Make sure *receiver* has its row; another URL forgets that the old one was disabled or busy."""
    row = tx.execute(select(receivers).where(receivers.c.name == receiver.name)).one_or_none()
    if row is None:
        tx.execute(insert(receivers).values(name=receiver.name, url=receiver.url))
    elif row.url != receiver.url:
        enable(tx, receiver.name)
        tx.execute(update(receivers).where(receivers.c.name == receiver.name).values(url=receiver.url))


def enable(tx: Connection, name: str) -> None:
    """Forget that the receiver was disabled or busy."""
    cleared = {"not_before": None, "disabled_at": None, "disabled_reason": None}
    tx.execute(update(receivers).where(receivers.c.name == name).values(cleared))


def expire(tx: Connection, now: datetime) -> int:
    """Fail what no configured receiver has come for within three days and an hour; give the number."""
    late = (outbox.c.status == "pending", outbox.c.created_at < now - GIVE_UP_AFTER - timedelta(hours=1))
    values = {"status": "failed", "last_error": "three days over without a delivery"}
    return tx.execute(update(outbox).where(*late).values(values)).rowcount


def forget(tx: Connection, before: datetime) -> int:
    """Delete finished deliveries written before *before*, with their attempts; give their number."""
    return tx.execute(
        delete(outbox).where(outbox.c.status != "pending", outbox.c.created_at < before)
    ).rowcount


def _hold(tx: Connection, name: str, until: datetime) -> None:
    tx.execute(update(receivers).where(receivers.c.name == name).values(not_before=until))


def _disable(tx: Connection, name: str, now: datetime) -> None:
    reason = f"answered 410 Gone at {now:%Y-%m-%d %H:%M:%S} UTC; change its url or enable it again"
    tx.execute(
        update(receivers).where(receivers.c.name == name).values(disabled_at=now, disabled_reason=reason)
    )
    waiting = (outbox.c.receiver == name, outbox.c.status == "pending")
    values = {"status": "failed", "last_error": f"receiver is disabled: {reason}"}
    tx.execute(update(outbox).where(*waiting).values(values))
