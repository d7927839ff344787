"""
A durable queue in one SQLite file: send, take under a lease, finish or give back.

::

    messages(id, queue, headers JSON, body JSON, sent_at, visible_at, attempts, dead)

A taken message is invisible for LEASE_S; a consumer that dies loses the lease and the next one takes it (at least
once). After MAX_ATTEMPTS it is kept as *dead*. Trace context travels in the headers (W3C ``traceparent``).
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer

from demo.sqlite import open_shared

LEASE_S = 30.0
MAX_ATTEMPTS = 5
RETRY_DELAY_S = 2.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
  id TEXT PRIMARY KEY, queue TEXT NOT NULL, headers TEXT NOT NULL, body TEXT NOT NULL, sent_at REAL NOT NULL,
  visible_at REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS messages_visible ON messages (queue, dead, visible_at);
"""
_TAKE = """
UPDATE messages SET visible_at = :now + :lease, attempts = attempts + 1
WHERE id = (SELECT id FROM messages WHERE queue = :queue AND dead = 0 AND visible_at <= :now
            ORDER BY visible_at LIMIT 1)
RETURNING id, headers, body, sent_at, attempts
"""


@dataclass(frozen=True)
class Message:
    """One taken message; *attempts* counts this time too."""

    id: str
    headers: dict[str, str]
    body: Any
    sent_at: float
    attempts: int


class OrderQueue:
    """
    One process's end of the queue *name*.

    Args:
        path: The SQLite file; several queues may share it.
        name: ``messaging.destination.name``.
        tracer: Makes the producer and consumer spans.
    """

    def __init__(self, path: Path, name: str, tracer: Tracer) -> None:
        self.name = name
        self._tracer = tracer
        self._connection = open_shared(path, _SCHEMA)

    def send(self, body: Any) -> str:
        """Append *body* (JSON) and return the message's id; a producer span is its parent on the other side."""
        message = uuid.uuid4().hex
        attributes = self._attributes("send", message)
        with self._tracer.start_as_current_span(
            f"send {self.name}", kind=SpanKind.PRODUCER, attributes=attributes
        ):
            headers: dict[str, str] = {}
            inject(headers)
            now = time.time()
            row = (message, self.name, json.dumps(headers), json.dumps(body), now, now)
            self._connection.execute(
                "INSERT INTO messages (id, queue, headers, body, sent_at, visible_at) VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
        return message

    def take(self) -> Message | None:
        """Return the oldest visible message under a lease of LEASE_S, None if there is none."""
        parameters = {"now": time.time(), "lease": LEASE_S, "queue": self.name}
        rows = self._connection.execute(_TAKE, parameters).fetchall()
        if not rows:
            return None
        message, headers, body, sent_at, attempts = rows[0]
        return Message(message, json.loads(headers), json.loads(body), sent_at, attempts)

    @contextmanager
    def processing(self, message: Message) -> Iterator[Span]:
        """
        Stand around the work on *message*: a consumer span in the producer's trace.

        The message is finished when the block ends, given back (or declared dead) when it raises; the error is raised on.
        """
        context = extract(message.headers)
        producer = trace.get_current_span(context).get_span_context()
        with self._tracer.start_as_current_span(
            f"process {self.name}",
            context=context,
            kind=SpanKind.CONSUMER,
            links=[Link(producer)] if producer.is_valid else [],
            attributes={
                **self._attributes("process", message.id),
                "messaging.delivery.attempt": message.attempts,
                "messaging.delivery.waited_ms": round((time.time() - message.sent_at) * 1000),
            },
        ) as span:
            try:
                yield span
            except Exception as error:
                span.set_status(StatusCode.ERROR, str(error))
                self._give_back(message)
                raise
            self._connection.execute("DELETE FROM messages WHERE id = ?", (message.id,))

    def _give_back(self, message: Message) -> None:
        dead = message.attempts >= MAX_ATTEMPTS
        self._connection.execute(
            "UPDATE messages SET visible_at = ?, dead = ? WHERE id = ?",
            (time.time() + RETRY_DELAY_S * message.attempts, dead, message.id),
        )

    def waiting(self) -> int:
        """Return how many messages are neither finished nor dead."""
        (count,) = self._connection.execute(
            "SELECT count(*) FROM messages WHERE queue = ? AND dead = 0", (self.name,)
        ).fetchone()
        return int(count)

    def _attributes(self, operation: str, message: str) -> dict[str, str]:
        return {
            "messaging.system": "sqlite",
            "messaging.destination.name": self.name,
            "messaging.operation.name": operation,
            "messaging.operation.type": operation,
            "messaging.message.id": message,
        }

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
