"""
Leases: which of several collectors acts on shared state.

A lease is checked inside the transaction that depends on it, so a collector that slept through
its own lease commits nothing. Clocks of collectors that share a state must agree to a few seconds.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from collector.state.tables import leases


def hold(tx: Connection, name: str, holder: str, now: datetime, ttl_s: float) -> bool:
    """
    Take or keep the lease *name* for *holder* inside the write transaction *tx*.

    Args:
        tx: A write transaction; the lease's row stays locked to its end.
        name: What is leased.
        holder: Stable over restarts of one collector, different between collectors: a restarted
            collector need not wait for its own lease.
        now: Current time.
        ttl_s: Seconds until others may take it. Renewed when half of it is gone, which keeps
            the writes down to one per ``ttl_s / 2``.

    Returns:
        Whether *holder* has the lease.
    """
    row = tx.execute(select(leases).where(leases.c.name == name).with_for_update()).one_or_none()
    until = now + timedelta(seconds=ttl_s)
    if row is None:
        tx.execute(insert(leases).values(name=name, holder=holder, expires_at=until))
        return True
    if row.holder != holder and row.expires_at > now:
        return False
    half = now + timedelta(seconds=ttl_s / 2)
    if row.holder != holder or not half < row.expires_at <= until:
        tx.execute(update(leases).where(leases.c.name == name).values(holder=holder, expires_at=until))
    return True


def held(tx: Connection, name: str, holder: str, now: datetime) -> bool:
    """Whether *holder* has the lease *name*; changes nothing."""
    mine = (leases.c.name == name, leases.c.holder == holder, leases.c.expires_at > now)
    return tx.execute(select(leases.c.name).where(*mine)).one_or_none() is not None


def release(tx: Connection, name: str, holder: str) -> None:
    """Give the lease *name* back, if *holder* has it, so that another need not wait."""
    tx.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))
