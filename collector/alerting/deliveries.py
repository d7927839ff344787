"""Receivers and deliveries as the API asks for them: how each stands, what was sent, a test now, a second chance."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select

from collector.alerting import outbox, standing
from collector.alerting.dispatch import Dispatch
from collector.alerting.events import Event
from collector.alerting.heartbeat_settings import HeartbeatSettings
from collector.alerting.outbox import PENDING
from collector.alerting.receivers import Message, Receiver
from collector.alerting.standing import Standing
from collector.alerting.timestamps import rfc3339
from collector.errors import Conflict, NotFound
from collector.state import State
from collector.state.tables import attempts
from collector.state.tables import outbox as outbox_table

MINUTE = timedelta(minutes=1)
# Attempts shown with each delivery of a list; one delivery alone is shown with up to ATTEMPTS_OF_ONE.
ATTEMPTS_SHOWN, ATTEMPTS_OF_ONE = 5, 1000


@dataclass(frozen=True)
class Wanted:
    """Which deliveries: "" and None = any; *before* is the id of the last one seen."""

    receiver: str = ""
    status: str = ""
    type: str = ""
    since: datetime | None = None
    before: int | None = None
    limit: int = 100


class Deliveries:
    """
    Answers for ``/receivers`` and ``/deliveries``.

    Args:
        receivers: Of the settings.
        state: Where outbox and standing are.
        dispatch: Sends a test.
        public_url: Where people open the dashboards.
        clock: Current time, aware.
        heartbeat: Whose receiver, if it is of its own, stands with the others.
    """

    def __init__(
        self,
        receivers: Iterable[Receiver],
        *,
        state: State,
        dispatch: Dispatch,
        public_url: str,
        clock: Callable[[], datetime],
        heartbeat: HeartbeatSettings | None = None,
    ) -> None:
        own = (heartbeat.receiver,) if heartbeat else ()
        self._receivers: dict[str, Receiver] = {one.name: one for one in (*receivers, *own)}
        self._heartbeat = {heartbeat.receiver.name: heartbeat.interval_s} if heartbeat else {}
        self._state = state
        self._dispatch = dispatch
        self._public_url = public_url
        self._clock = clock

    def receivers(self) -> list[dict[str, Any]]:
        """Give every receiver of the settings, as it stands."""
        now = self._clock()
        with self._state.read() as tx:
            waiting = _waiting(tx)
            return [self._stands(tx, receiver, waiting, now) for receiver in self._receivers.values()]

    def find(self, wanted: Wanted) -> list[dict[str, Any]]:
        """Give the deliveries *wanted*, newest first, each with its last attempts."""
        query = select(outbox_table).order_by(outbox_table.c.id.desc()).limit(wanted.limit)
        for column in ("receiver", "status", "type"):
            if value := getattr(wanted, column):
                query = query.where(outbox_table.c[column] == value)
        if wanted.since is not None:
            query = query.where(outbox_table.c.created_at >= wanted.since)
        if wanted.before is not None:
            query = query.where(outbox_table.c.id < wanted.before)
        with self._state.read() as tx:
            return self._shown(tx, tx.execute(query).all(), ATTEMPTS_SHOWN)

    def one(self, delivery_id: int) -> dict[str, Any]:
        """
        Give one delivery with its attempts and what is told.

        Raises:
            NotFound: There is none of that id (``unknown_delivery``).
        """
        with self._state.read() as tx:
            row = _row(tx, delivery_id)
            return {**self._shown(tx, [row], ATTEMPTS_OF_ONE)[0], "payload": json.loads(row.payload)}

    def again(self, delivery_id: int) -> dict[str, Any]:
        """
        Make a failed delivery pending once more, under its own webhook-id; give it.

        Raises:
            NotFound: There is none of that id (``unknown_delivery``), or its receiver is gone (``unknown_receiver``).
            Conflict: It has not failed, or its receiver is disabled (``not_failed``, ``receiver_disabled``).
        """
        with self._state.write() as tx:
            row = _row(tx, delivery_id)
            self._known(row.receiver)
            if row.status != "failed":
                raise Conflict(
                    "not_failed", f"delivery {delivery_id} is {row.status}; only a failed one is sent again"
                )
            if row.receiver in standing.disabled(tx):
                raise Conflict("receiver_disabled", f"receiver {row.receiver!r} is disabled; enable it first")
            outbox.revive(tx, delivery_id, self._clock())
        return self.one(delivery_id)

    def enable(self, name: str) -> dict[str, Any]:
        """
        Send to a receiver again that was disabled by its 410, or is behind its open breaker; give it.

        Raises:
            NotFound: No such receiver (``unknown_receiver``).
        """
        receiver = self._known(name)
        now = self._clock()
        with self._state.write() as tx:
            standing.enable(tx, name)
            outbox.hasten(tx, name, now)
            return self._stands(tx, receiver, _waiting(tx), now)

    def test(self, name: str) -> dict[str, Any]:
        """
        Send a test now, past rate, breaker and notice; give what came back, which is also kept as a delivery.

        Raises:
            NotFound: No such receiver (``unknown_receiver``).
        """
        receiver = self._known(name)
        event = self._test_event(receiver)
        message = Message(event.webhook_id, event.subject, event.payload, self._clock(), self._public_url)
        (outcome,) = self._dispatch.send(receiver, [message])
        now = self._clock()
        with self._state.write() as tx:
            number = outbox.record_test(tx, name, event, outcome, now)
            if standing.note(tx, name, [outcome], now) == "closed":
                outbox.hasten(tx, name, now)
        told = {
            "receiver": name,
            "delivery_id": number,
            "webhook_id": event.webhook_id,
            "delivered": outcome.delivered,
        }
        shown = ("status", "error", "elapsed_ms", "address", "body_excerpt")
        return told | {field: getattr(outcome, field) for field in shown}

    def _test_event(self, receiver: Receiver) -> Event:
        webhook_id = f"msg_{secrets.token_hex(16)}"
        data = {
            "id": webhook_id,
            "receiver": receiver.name,
            "message": f"A test of receiver {receiver.name}: Fuseboard reaches you.",
            "url": self._public_url,
        }
        body = {"type": "test", "timestamp": rfc3339(self._clock()), "data": data}
        return Event(webhook_id, f"test/{receiver.name}", "test", json.dumps(body, separators=(",", ":")))

    def _known(self, name: str) -> Receiver:
        if name not in self._receivers:
            known = ", ".join(self._receivers) or "none"
            raise NotFound("unknown_receiver", f"no receiver {name!r}; known: {known}", "name")
        return self._receivers[name]

    def _stands(
        self, tx: Connection, receiver: Receiver, waiting: Mapping[str, tuple[int, datetime]], now: datetime
    ) -> dict[str, Any]:
        return {**_stands(tx, receiver, waiting, now), "heartbeat_s": self._heartbeat.get(receiver.name)}

    def _shown(self, tx: Connection, rows: Sequence[Row[Any]], most: int) -> list[dict[str, Any]]:
        made = _attempts(tx, [row.id for row in rows], most)
        return [_delivery(row, self._receivers.get(row.receiver), made.get(row.id, [])) for row in rows]


def _row(tx: Connection, delivery_id: int) -> Row[Any]:
    row = tx.execute(select(outbox_table).where(outbox_table.c.id == delivery_id)).one_or_none()
    if row is None:
        raise NotFound("unknown_delivery", f"no delivery {delivery_id}", "delivery_id")
    return row


def _attempts(tx: Connection, ids: Sequence[int], most: int) -> dict[int, list[dict[str, Any]]]:
    """Give the last *most* attempts of each delivery, oldest first."""
    rank = func.row_number().over(partition_by=attempts.c.outbox_id, order_by=attempts.c.number.desc())
    ranked = select(attempts, rank.label("rank")).where(attempts.c.outbox_id.in_(ids)).subquery()
    query = select(ranked).where(ranked.c.rank <= most).order_by(ranked.c.outbox_id, ranked.c.number)
    found: dict[int, list[dict[str, Any]]] = {}
    for row in tx.execute(query.limit(len(ids) * most)):
        found.setdefault(row.outbox_id, []).append(
            {
                "number": row.number,
                "started_at": rfc3339(row.started_at),
                "elapsed_ms": row.elapsed_ms,
                "address": row.address,
                "status": row.status,
                "error": row.error,
                "body_excerpt": row.body_excerpt,
                "interrupted": row.elapsed_ms is None,
            }
        )
    return found


def _delivery(row: Row[Any], receiver: Receiver | None, made: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": row.id,
        "webhook_id": row.webhook_id,
        "receiver": row.receiver,
        "type": row.type,
        "url": receiver.shown_url if receiver else None,
        "status": row.status,
        "attempts": row.attempts,
        "last_status": row.last_status,
        "last_error": row.last_error,
        "created_at": rfc3339(row.created_at),
        "next_attempt_at": rfc3339(row.next_attempt_at) if row.status == "pending" else None,
        "delivered_at": row.delivered_at and rfc3339(row.delivered_at),
        "attempt_log": made,
    }


def _waiting(tx: Connection) -> Mapping[str, tuple[int, datetime]]:
    """Give by receiver how many deliveries are pending, and since when the oldest is."""
    table = outbox_table.c
    query = select(table.receiver, func.count(), func.min(table.created_at)).where(table.status == PENDING)
    return {name: (int(count), oldest) for name, count, oldest in tx.execute(query.group_by(table.receiver))}


def _stands(
    tx: Connection, receiver: Receiver, waiting: Mapping[str, tuple[int, datetime]], now: datetime
) -> dict[str, Any]:
    stands = standing.read(tx, receiver.name)
    rate = receiver.rate_per_minute
    used = outbox.attempts_since(tx, receiver.name, now - MINUTE) if rate else 0
    state, reason = _state(
        stands, now, f"{used} attempts in the last minute, {rate} allowed" if used >= rate > 0 else ""
    )
    count, oldest = waiting.get(receiver.name, (0, None))
    return {
        "name": receiver.name,
        "kind": receiver.kind,
        "url": receiver.shown_url,
        "types": list(receiver.types),
        "state": state,
        "reason": reason,
        "rate_per_minute": rate,
        "waiting": count,
        "oldest_waiting_at": oldest and rfc3339(oldest),
        "last_success_at": stands.last_success_at and rfc3339(stands.last_success_at),
        "last_failure_at": stands.last_failure_at and rfc3339(stands.last_failure_at),
        "last_error": stands.last_error,
        "breaker": {
            "state": stands.breaker(now),
            "failures": stands.failures,
            "since": stands.opened_at and rfc3339(stands.opened_at),
            "retry_at": stands.open_until and rfc3339(stands.open_until),
        },
    }


def _state(stands: Standing, now: datetime, over_rate: str) -> tuple[str, str]:
    """Give disabled, open, limited or ok, and why."""
    if stands.disabled_at:
        return "disabled", str(stands.disabled_reason)
    if stands.open_until:
        return "open", f"{stands.failures} failures in a row; the last: {stands.last_error}"
    if stands.not_before and stands.not_before > now:
        return "limited", f"it asked for a pause until {rfc3339(stands.not_before)}"
    return ("limited", over_rate) if over_rate else ("ok", "")
