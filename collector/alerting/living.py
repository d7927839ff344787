"""
Pending and firing alerts in memory: reading ten thousand of them from ``state/`` costs a third of a second, and they are looked at every second.

Only who holds the lease changes alerts, so what the holder wrote last is what stands there. It is read anew when somebody else may have held the lease since,
and after a transaction that failed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from collector.alerting import history
from collector.alerting.evaluate import Alert


class Living:
    """
    The living alerts; used under a lock by whoever writes them.

    Args:
        trusted: How long nobody else can have had the lease after it was held.
    """

    def __init__(self, trusted: timedelta) -> None:
        self._trusted = trusted
        self._alerts: list[Alert] | None = None
        self._held_at: datetime | None = None

    def held(self, now: datetime) -> None:
        """Say that the lease is held at *now*."""
        if not self.trusts(now):
            self._alerts = None
        self._held_at = now

    def trusts(self, now: datetime) -> bool:
        """Whether it was held so shortly before *now* that nobody else can have it."""
        return self._held_at is not None and timedelta() <= now - self._held_at < self._trusted

    def all(self, tx: Connection) -> list[Alert]:
        """Give them."""
        if self._alerts is None:
            self._alerts = history.living(tx)
        return self._alerts

    def of(self, tx: Connection, rules: Collection[str], known: Collection[str]) -> list[Alert]:
        """Give those of *rules*, and those whose rule is not *known* any more."""
        return [alert for alert in self.all(tx) if alert.rule_id in rules or alert.rule_id not in known]

    def become(self, alerts: Sequence[Alert]) -> None:
        """Say what they are now that a transaction is committed."""
        self._alerts = list(alerts)

    def forget(self) -> None:
        """Read them anew: what was written may not stand there."""
        self._alerts = None
