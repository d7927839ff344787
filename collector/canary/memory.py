"""The canary's memory: one row of ``state/`` per collector."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import insert, select, update

from collector.state import State
from collector.state.tables import EPOCH, canaries


@dataclass(frozen=True, slots=True)
class Remembered:
    """
    The stream as it stands.

    Attributes:
        instance: Names the stream; made with its first row, so a lost state begins another stream instead of repeating numbers.
        number: Sent last, or about to be; 0 = none yet.
        sent_at: When it was made; part of its line.
    """

    instance: str
    number: int
    sent_at: datetime


class Memory:
    """
    The row of one collector.

    Args:
        state: Where it stands.
        holder: Stable over restarts of one collector, different between collectors.
    """

    def __init__(self, state: State, holder: str) -> None:
        self._state = state
        self._holder = holder

    def recall(self) -> Remembered:
        """
        Return the stream, begun now if there is none.

        Raises:
            Unavailable: The state database refuses.
        """
        with self._state.write() as tx:
            row = tx.execute(select(canaries).where(canaries.c.holder == self._holder)).one_or_none()
            if row is not None:
                return Remembered(row.instance, row.number, row.sent_at)
            begun = Remembered(secrets.token_hex(6), 0, EPOCH)
            tx.execute(
                insert(canaries).values(holder=self._holder, instance=begun.instance, number=0, sent_at=EPOCH)
            )
            return begun

    def advance(self, last: Remembered) -> Remembered:
        """
        Take the next number, durably.

        Raises:
            Unavailable: The state database refuses; the number is not taken.
        """
        following = replace(last, number=last.number + 1, sent_at=datetime.now(UTC))
        with self._state.write() as tx:
            tx.execute(
                update(canaries)
                .where(canaries.c.holder == self._holder)
                .values(number=following.number, sent_at=following.sent_at)
            )
        return following
