"""Keys made through the API: made, rotated, revoked. The secret is shown once; what is kept is its digest."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy import Row as SqlRow

from collector.access.roster import Roster, changed
from collector.access.secret import hint_of, new_secret
from collector.errors import Conflict, Malformed, NotFound
from collector.receive.authenticate import digest_of
from collector.state import State
from collector.state.tables import access_keys

# One for each service in each environment of a large company.
KEYS_MOST = 5000
# Revoked ones are kept for the record, the newest of them.
REVOKED_MOST = 1000
OVERLAP_MOST_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    A key to be made.

    Attributes:
        name: What people call it; stands in logs and the ledger. One of the keys that live.
        role: ``ingest``, ``read``, ``editor``, ``admin``.
        services: Services it may write; empty = any.
        envs: Environments it may write; empty = any.
        expires_at: When it ends; ``None`` = never.
    """

    name: str
    role: str
    services: Sequence[str] = ()
    envs: Sequence[str] = ()
    expires_at: datetime | None = None


class KeyBook:
    """
    The keys of the API.

    Args:
        state: Where they stand.
        roster: Told of every change.
        taken: Names that the settings' keys have.
    """

    def __init__(self, state: State, roster: Roster, taken: Sequence[str] = ()) -> None:
        self._state = state
        self._roster = roster
        self._taken = frozenset(taken)

    def all(self) -> list[dict[str, Any]]:
        """Give every key, the living ones first, by name; never a secret."""
        order = (access_keys.c.revoked_at.is_not(None), access_keys.c.name, access_keys.c.created_at.desc())
        with self._state.read() as tx:
            rows = tx.execute(select(access_keys).order_by(*order).limit(KEYS_MOST + REVOKED_MOST)).all()
        now = datetime.now(UTC)
        return [_answer(row, now) for row in rows]

    def make(self, wanted: Wanted, by: str) -> dict[str, Any]:
        """
        Make a key.

        Returns:
            What `all` says of it, and ``secret``, this once.

        Raises:
            Malformed: ``bad_expiry``: it would have ended already.
            Conflict: ``key_exists``: a living key has the name; ``keys_full``.
        """
        now = datetime.now(UTC)
        if wanted.expires_at is not None and wanted.expires_at <= now:
            raise Malformed(
                "bad_expiry",
                f"expires_at: {wanted.expires_at.isoformat()} is not in the future",
                "expires_at",
            )
        if wanted.role != "ingest" and (wanted.services or wanted.envs):
            raise Malformed(
                "bad_key_scope",
                "services and envs bind what a key may write: leave them out, or kind=ingest",
                "services",
            )
        identifier = secrets.token_hex(8)
        secret = new_secret("ingest" if wanted.role == "ingest" else "read")
        with self._state.write() as tx:
            self._name_is_free(tx, wanted.name)
            living = select(func.count()).select_from(access_keys).where(access_keys.c.revoked_at.is_(None))
            if tx.execute(living).scalar_one() >= KEYS_MOST:
                raise Conflict("keys_full", f"{KEYS_MOST} keys live already: revoke those that nobody uses")
            tx.execute(
                insert(access_keys).values(
                    id=identifier,
                    name=wanted.name,
                    role=wanted.role,
                    services=list(wanted.services),
                    envs=list(wanted.envs),
                    digest=digest_of(secret),
                    hint=hint_of(secret),
                    created_at=now,
                    created_by=by,
                    expires_at=wanted.expires_at,
                )
            )
            changed(tx)
        self._roster.refresh()
        return {**self._one(identifier), "secret": secret}

    def rotate(self, identifier: str, overlap_s: int) -> dict[str, Any]:
        """
        Give a key another secret; the one before opens for *overlap_s* seconds more.

        Raises:
            NotFound: No living key has that id.
        """
        now = datetime.now(UTC)
        with self._state.write() as tx:
            row = _living(tx, identifier)
            secret = new_secret("ingest" if row.role == "ingest" else "read")
            tx.execute(
                update(access_keys)
                .where(access_keys.c.id == identifier)
                .values(
                    digest=digest_of(secret),
                    hint=hint_of(secret),
                    previous_digest=row.digest if overlap_s else None,
                    previous_until=now + timedelta(seconds=overlap_s) if overlap_s else None,
                    rotated_at=now,
                )
            )
            changed(tx)
        self._roster.refresh()
        return {**self._one(identifier), "secret": secret}

    def revoke(self, identifier: str) -> None:
        """
        End a key, its secret before the last rotation included.

        Raises:
            NotFound: No living key has that id.
        """
        with self._state.write() as tx:
            _living(tx, identifier)
            tx.execute(
                update(access_keys)
                .where(access_keys.c.id == identifier)
                .values(revoked_at=datetime.now(UTC), previous_digest=None, previous_until=None)
            )
            _forget_oldest(tx)
            changed(tx)
        self._roster.refresh()

    def _name_is_free(self, tx: Connection, name: str) -> None:
        same = select(access_keys.c.id).where(access_keys.c.name == name, access_keys.c.revoked_at.is_(None))
        if name in self._taken or tx.execute(same).first() is not None:
            raise Conflict(
                "key_exists", f"a key is called {name!r} already: choose another name, or rotate it", "name"
            )

    def _one(self, identifier: str) -> dict[str, Any]:
        with self._state.read() as tx:
            row = tx.execute(select(access_keys).where(access_keys.c.id == identifier)).one()
        return _answer(row, datetime.now(UTC))


def _living(tx: Connection, identifier: str) -> SqlRow[Any]:
    found = select(access_keys).where(access_keys.c.id == identifier, access_keys.c.revoked_at.is_(None))
    row = tx.execute(found).one_or_none()
    if row is None:
        raise NotFound("not_found", f"no living key has the id {identifier[:80]!r}", "key_id")
    return row


def _forget_oldest(tx: Connection) -> None:
    newest = (
        select(access_keys.c.id)
        .where(access_keys.c.revoked_at.is_not(None))
        .order_by(access_keys.c.revoked_at.desc())
        .limit(REVOKED_MOST)
    )
    gone = access_keys.c.revoked_at.is_not(None) & access_keys.c.id.not_in(newest)
    tx.execute(delete(access_keys).where(gone))


def _answer(row: SqlRow[Any], now: datetime) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "kind": "ingest" if row.role == "ingest" else "read",
        "role": {"ingest": None, "read": "viewer"}.get(row.role, row.role),
        "services": row.services,
        "envs": row.envs,
        "masked": f"…{row.hint}",
        "state": _state(row, now),
        "source": "api",
        "created_at": _stamp(row.created_at),
        "created_by": row.created_by,
        "rotated_at": _stamp(row.rotated_at),
        "overlap_until": _stamp(row.previous_until)
        if row.previous_until and row.previous_until > now
        else None,
        "expires_at": _stamp(row.expires_at),
        "revoked_at": _stamp(row.revoked_at),
        "last_used_at": _stamp(row.last_used_at),
    }


def _state(row: SqlRow[Any], now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at is not None and row.expires_at <= now else "active"


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
