"""
How a receiver stands with us: busy, disabled, or behind its open breaker; in ``state/``, so that it survives a restart and is one for all collectors.

The breaker counts batches of attempts without one answer below 500. After :data:`FAILURES` in a
row it opens: nothing is attempted for 5 s, then one delivery tries; each failed trial doubles the
pause, to a minute at most. An answer closes it, and what waited for its own retry is due at once. So a dead receiver costs
one request a minute, and a receiver that is back has its pages within a minute.

Called inside a caller's transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, update

from collector.alerting.retry import OURS
from collector.alerting.settings import Receiver
from collector.alerting.webhooks import Outcome
from collector.state.tables import receivers

# A receiver's 429 may hold back what it has not seen yet, but a new page not for longer than this.
MAX_HOLD = timedelta(hours=1)
FAILURES = 5
OPEN_FIRST_S, OPEN_MAX_S = 5.0, 60.0
# Mail servers say "not now" to everybody with this one.
SMTP_UNAVAILABLE = 421


@dataclass(frozen=True)
class Standing:
    """
    What is remembered about a receiver.

    Attributes:
        not_before: It asked for a pause until then.
        disabled_at: It answered 410.
        disabled_reason: The notice.
        failures: Batches without an answer below 500, in a row.
        opens: Times the breaker opened since it was closed.
        opened_at: Since when it is not closed.
        open_until: When the next trial is; past = it is half open.
        last_success_at: A delivery was taken.
        last_failure_at: An attempt failed.
        last_error: Why.
    """

    not_before: datetime | None = None
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    failures: int = 0
    opens: int = 0
    opened_at: datetime | None = None
    open_until: datetime | None = None
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_error: str | None = None

    def breaker(self, now: datetime) -> Literal["closed", "open", "half_open"]:
        """Give the state of the breaker."""
        if self.open_until is None:
            return "closed"
        return "open" if self.open_until > now else "half_open"


_COLUMNS = tuple(receivers.c[name] for name in Standing.__dataclass_fields__)


def register(tx: Connection, receiver: Receiver) -> None:
    """Make sure *receiver* has its row; another URL forgets that the old one was disabled or busy."""
    # A URL may be a secret: what is kept only tells whether it is another one.
    url = hashlib.sha256(receiver.url.encode()).hexdigest()
    row = tx.execute(select(receivers).where(receivers.c.name == receiver.name)).one_or_none()
    if row is None:
        tx.execute(insert(receivers).values(name=receiver.name, url=url))
    elif row.url != url:
        enable(tx, receiver.name)
        _set(tx, receiver.name, url=url)


def read(tx: Connection, name: str) -> Standing:
    """Give how *name* stands."""
    row = tx.execute(select(*_COLUMNS).where(receivers.c.name == name)).one_or_none()
    return Standing(*row) if row else Standing()


def disabled(tx: Connection) -> dict[str, str]:
    """Give the receivers switched off by their own 410, with the notice."""
    query = select(receivers.c.name, receivers.c.disabled_reason).where(receivers.c.disabled_at.is_not(None))
    return {name: str(reason) for name, reason in tx.execute(query)}


def enable(tx: Connection, name: str) -> None:
    """Forget that the receiver was disabled, busy or failing."""
    cleared = ("not_before", "disabled_at", "disabled_reason", "opened_at", "open_until")
    _set(tx, name, failures=0, opens=0, **dict.fromkeys(cleared))


def hold(tx: Connection, name: str, until: datetime, now: datetime) -> None:
    """Attempt nothing before *until*, as the receiver asked, within an hour."""
    _set(tx, name, not_before=min(until, now + MAX_HOLD))


def disable(tx: Connection, name: str, now: datetime) -> None:
    """Switch a receiver off that has answered 410."""
    reason = f"answered 410 Gone at {now:%Y-%m-%d %H:%M:%S} UTC; change its url or enable it again"
    _set(tx, name, disabled_at=now, disabled_reason=reason)


def note(
    tx: Connection, name: str, outcomes: Sequence[Outcome], now: datetime
) -> Literal["open", "closed"] | None:
    """
    Remember what a batch of attempts brought.

    Returns:
        The state the breaker came into, None if it stays in its own.
    """
    before = read(tx, name)
    changes: dict[str, Any] = {}
    failed = [outcome for outcome in outcomes if not outcome.delivered]
    if failed:
        changes |= {"last_failure_at": now, "last_error": failed[-1].error}
    if len(failed) < len(outcomes):
        changes["last_success_at"] = now
    if any(_alive(outcome) for outcome in outcomes):
        changes |= {"failures": 0, "opens": 0, "opened_at": None, "open_until": None}
    elif not all(_ours(outcome) for outcome in outcomes):
        changes |= _failed(before, now)
    _set(tx, name, **changes)
    after = changes.get("open_until", before.open_until)
    if (after is None) == (before.open_until is None):
        return None
    return "closed" if after is None else "open"


def _failed(before: Standing, now: datetime) -> dict[str, Any]:
    failures = before.failures + 1
    if before.open_until is None and failures < FAILURES:
        return {"failures": failures}
    pause_s = min(OPEN_FIRST_S * 2 ** min(before.opens, 10), OPEN_MAX_S)
    return {
        "failures": failures,
        "opens": before.opens + 1,
        "opened_at": before.opened_at or now,
        "open_until": now + timedelta(seconds=pause_s),
    }


def _alive(outcome: Outcome) -> bool:
    if outcome.status is None:
        return False
    return outcome.status != SMTP_UNAVAILABLE if outcome.smtp else outcome.status < 500


def _ours(outcome: Outcome) -> bool:
    return outcome.status is None and (outcome.error or "").startswith(OURS)


def _set(tx: Connection, name: str, **values: Any) -> None:
    tx.execute(update(receivers).where(receivers.c.name == name).values(values))
