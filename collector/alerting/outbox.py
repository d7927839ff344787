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

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from collector.alerting import standing
from collector.alerting.events import Event
from collector.alerting.retry import GIVE_UP_AFTER, Verdict
from collector.alerting.settings import Receiver
from collector.alerting.webhooks import Outcome
from collector.state.tables import attempts, outbox, receivers

# A literal, not a parameter: only then do the partial indexes over what is pending apply.
PENDING: ColumnElement[str] = literal_column("'pending'")


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one receiver; *attempt* is the number of the current attempt."""

    id: int
    webhook_id: str
    receiver: str
    subject: str
    type: str
    payload: str
    created_at: datetime
    attempt: int


def enqueue(tx: Connection, events: Iterable[Event], to: Sequence[Receiver], now: datetime) -> int:
    """
    Write each event once for each receiver that asked for its type; give the number of rows.

    An event that names its receivers goes to those among them that asked for its type. For a
    disabled receiver the row is written as failed: nothing vanishes silently.
    """
    wanted = [(event, receiver.name) for event in events for receiver in to if _wants(receiver, event)]
    if not wanted:
        return 0
    disabled = standing.disabled(tx)
    rows = [
        {
            **_row(number, event, name, now),
            "attempts": 0,
            "status": "failed" if name in disabled else "pending",
            "last_error": f"receiver is disabled: {disabled[name]}" if name in disabled else None,
        }
        for number, (event, name) in enumerate(wanted, start=_last_id(tx) + 1)
    ]
    tx.execute(insert(outbox), rows)
    return len(rows)


def _last_id(tx: Connection) -> int:
    """Give the greatest id; write transactions come one after the other: nobody else takes the next."""
    return int(tx.execute(select(func.coalesce(func.max(outbox.c.id), 0))).scalar_one())


def _row(number: int, event: Event, receiver: str, now: datetime) -> dict[str, Any]:
    return {
        "id": number,
        "webhook_id": event.webhook_id,
        "receiver": receiver,
        "subject": event.subject,
        "type": event.type,
        "payload": event.payload,
        "created_at": now,
        "next_attempt_at": now,
    }


def _wants(receiver: Receiver, event: Event) -> bool:
    named = event.receivers is None or receiver.name in event.receivers
    return named and event.type in receiver.types


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
        earlier.c.status == PENDING,
        earlier.c.id < outbox.c.id,
    )
    held = exists().where(
        receivers.c.name == outbox.c.receiver, or_(receivers.c.not_before > now, receivers.c.open_until > now)
    )
    query = (
        select(outbox.c.id)
        .where(outbox.c.receiver == receiver, outbox.c.status == PENDING, outbox.c.next_attempt_at <= now)
        .where(~waits, ~held)
        .order_by(outbox.c.id)
        .limit(limit)
    )
    return list(tx.execute(query).scalars())


def waits(tx: Connection, receiver: str) -> bool:
    """Say whether anything is still to be delivered, now or later."""
    query = select(outbox.c.id).where(outbox.c.receiver == receiver, outbox.c.status == PENDING).limit(1)
    return tx.execute(query).first() is not None


def begin_attempts(tx: Connection, ids: Sequence[int], now: datetime) -> list[Delivery]:
    """Count and record attempts that are about to be made, oldest first; rows no longer pending are left out."""
    mine = (outbox.c.id.in_(ids), outbox.c.status == PENDING)
    tx.execute(update(outbox).where(*mine).values(attempts=outbox.c.attempts + 1))
    rows = tx.execute(select(outbox).where(*mine).order_by(outbox.c.id).limit(len(ids))).all()
    if rows:
        begun = [{"outbox_id": row.id, "number": row.attempts, "started_at": now} for row in rows]
        tx.execute(insert(attempts), begun)
    return [
        Delivery(
            id=row.id,
            webhook_id=row.webhook_id,
            receiver=row.receiver,
            subject=row.subject,
            type=row.type,
            payload=row.payload,
            created_at=row.created_at,
            attempt=row.attempts,
        )
        for row in rows
    ]


def attempts_since(tx: Connection, receiver: str, since: datetime) -> int:
    """Count the attempts begun for *receiver* after *since*."""
    query = select(func.count()).select_from(attempts.join(outbox))
    return int(
        tx.execute(query.where(attempts.c.started_at > since, outbox.c.receiver == receiver)).scalar_one()
    )


def finish_attempts(
    tx: Connection, finished: Sequence[tuple[Delivery, Outcome, Verdict]], now: datetime
) -> None:
    """Record what attempts for one receiver brought, and what becomes of the deliveries and the receiver."""
    tx.execute(_FINISHED, [_attempt(delivery, outcome) for delivery, outcome, _ in finished])
    tx.execute(_BECOMES, [_becomes(*each, now) for each in finished])
    for delivery, outcome, verdict in finished:
        if verdict.kind == "gone":
            standing.disable(tx, delivery.receiver, now)
            fail_waiting(tx, delivery.receiver)
        elif outcome.retry_after_s and verdict.again_at:
            standing.hold(tx, delivery.receiver, verdict.again_at, now)


_FINISHED = (
    update(attempts)
    .where(attempts.c.outbox_id == bindparam("of"), attempts.c.number == bindparam("nth"))
    .values({c: bindparam(c) for c in ("elapsed_ms", "address", "status", "error", "body_excerpt")})
)
_BECOMES = (
    update(outbox)
    .where(outbox.c.id == bindparam("of"), outbox.c.status == PENDING)
    .values(
        {
            "status": bindparam("becomes"),
            "last_status": bindparam("answered"),
            "last_error": bindparam("error"),
            "delivered_at": bindparam("at"),
            "next_attempt_at": func.coalesce(
                bindparam("again_at", type_=outbox.c.next_attempt_at.type), outbox.c.next_attempt_at
            ),
        }
    )
)


def _attempt(delivery: Delivery, outcome: Outcome) -> dict[str, Any]:
    return {
        "of": delivery.id,
        "nth": delivery.attempt,
        "elapsed_ms": outcome.elapsed_ms,
        "address": outcome.address,
        "status": outcome.status,
        "error": outcome.error,
        "body_excerpt": outcome.body_excerpt,
    }


def _becomes(delivery: Delivery, outcome: Outcome, verdict: Verdict, now: datetime) -> dict[str, Any]:
    return {
        "of": delivery.id,
        "becomes": {"delivered": "delivered", "again": "pending"}.get(verdict.kind, "failed"),
        "answered": outcome.status,
        "error": outcome.error,
        "at": now if verdict.kind == "delivered" else None,
        "again_at": verdict.again_at,
    }


def hasten(tx: Connection, receiver: str, now: datetime) -> int:
    """Make due what waits because the receiver gave no answer or failed; it is back. Give the number."""
    waiting = (outbox.c.receiver == receiver, outbox.c.status == PENDING, outbox.c.next_attempt_at > now)
    fault = or_(outbox.c.last_status.is_(None), outbox.c.last_status >= 500)
    return tx.execute(update(outbox).where(*waiting, fault).values(next_attempt_at=now)).rowcount


def revive(tx: Connection, delivery_id: int, now: datetime) -> None:
    """Make a failed delivery due, with three days ahead of it; what was attempted stays on record."""
    values = {"status": "pending", "next_attempt_at": now, "created_at": now}
    tx.execute(update(outbox).where(outbox.c.id == delivery_id, outbox.c.status == "failed").values(values))


def fail_waiting(tx: Connection, receiver: str) -> None:
    """Fail what waits for a receiver that was disabled, with its notice."""
    notice = standing.disabled(tx).get(receiver, "")
    waiting = (outbox.c.receiver == receiver, outbox.c.status == PENDING)
    values = {"status": "failed", "last_error": f"receiver is disabled: {notice}"}
    tx.execute(update(outbox).where(*waiting).values(values))


def record_test(tx: Connection, receiver: str, event: Event, outcome: Outcome, now: datetime) -> int:
    """Write a test that was sent, delivered or failed, with its one attempt; give its id."""
    number = _last_id(tx) + 1
    delivered = outcome.delivered
    row = {
        **_row(number, event, receiver, now),
        "attempts": 1,
        "status": "delivered" if delivered else "failed",
    }
    row |= {
        "last_status": outcome.status,
        "last_error": outcome.error,
        "delivered_at": now if delivered else None,
    }
    tx.execute(insert(outbox).values(row))
    begun = now - timedelta(milliseconds=outcome.elapsed_ms)
    tx.execute(insert(attempts).values(outbox_id=number, number=1, started_at=begun))
    told = Delivery(number, event.webhook_id, receiver, event.subject, event.type, event.payload, now, 1)
    tx.execute(_FINISHED, [_attempt(told, outcome)])
    return number


def expire(tx: Connection, now: datetime) -> int:
    """Fail what no configured receiver has come for within three days and an hour; give the number."""
    late = (outbox.c.status == PENDING, outbox.c.created_at < now - GIVE_UP_AFTER - timedelta(hours=1))
    values = {"status": "failed", "last_error": "three days over without a delivery"}
    return tx.execute(update(outbox).where(*late).values(values)).rowcount


def forget(tx: Connection, before: datetime) -> int:
    """Delete finished deliveries written before *before*, with their attempts; give their number."""
    return tx.execute(
        delete(outbox).where(outbox.c.status != "pending", outbox.c.created_at < before)
    ).rowcount
