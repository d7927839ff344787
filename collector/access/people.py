"""People who may sign in: added, given a role, disabled."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy import Row as SqlRow

from collector.access.passwords import Passwords
from collector.access.roster import Roster, changed
from collector.errors import Conflict, Forbidden, Malformed, NotFound
from collector.state import State
from collector.state.tables import access_people, access_sessions

PEOPLE_MOST = 5000


class People:
    """
    The people.

    Args:
        state: Where they stand.
        roster: Told of every change.
        passwords: Hashes.
        managed_by_key: Whether a key of the settings or a provider makes admins, too: then the last one may go.
    """

    def __init__(self, state: State, roster: Roster, passwords: Passwords, *, managed_by_key: bool) -> None:
        self._state = state
        self._roster = roster
        self._passwords = passwords
        self._managed_by_key = managed_by_key

    def all(self) -> list[dict[str, Any]]:
        """Give everybody, by name."""
        with self._state.read() as tx:
            rows = tx.execute(select(access_people).order_by(access_people.c.name).limit(PEOPLE_MOST)).all()
        return [_answer(row) for row in rows]

    def add(self, name: str, role: str, password: str, by: str) -> dict[str, Any]:
        """
        Add a person.

        Raises:
            Malformed: ``bad_password``.
            Conflict: ``user_exists``; ``users_full``; ``last_admin``: the first of all has to be an admin.
        """
        kept = self._hashed(name, password)
        with self._state.write() as tx:
            if _find(tx, name) is not None:
                raise Conflict("user_exists", f"somebody is called {name!r} already", "name")
            _room(tx)
            tx.execute(
                insert(access_people).values(
                    name=name,
                    role=role,
                    password=kept,
                    disabled=0,
                    created_at=datetime.now(UTC),
                    created_by=by,
                )
            )
            self._somebody_manages(tx)
            changed(tx)
        return self._told(name)

    def vouched(self, name: str, role: str, identity: str) -> None:
        """
        Add or find somebody a provider vouches for; their role is what it says now.

        Args:
            name: What they are called here.
            role: ``read``, ``editor``, ``admin``.
            identity: Stands in place of a password: whoever comes back has to be the same one.

        Raises:
            Conflict: ``name_taken``: somebody else is called so here; ``users_full``.
            Forbidden: ``oidc_refused``: disabled.
        """
        with self._state.write() as tx:
            row = _find(tx, name)
            if row is None:
                _room(tx)
                values = {"name": name, "role": role, "password": identity, "disabled": 0}
                tx.execute(
                    insert(access_people).values(**values, created_at=datetime.now(UTC), created_by="oidc")
                )
                changed(tx)
                return
            if row.password != identity:
                raise Conflict(
                    "name_taken",
                    f"somebody else is called {name!r} here, with a password or of another account: an admin has to remove them first (page Users)",
                    "name",
                )
            if row.disabled:
                raise Forbidden(
                    "oidc_refused", f"{name!r} is disabled here: an admin may change that (page Users)"
                )
            if row.role != role:
                tx.execute(update(access_people).where(access_people.c.name == name).values(role=role))
                changed(tx)

    def change(
        self, name: str, role: str | None, disabled: bool | None, password: str | None
    ) -> dict[str, Any]:
        """
        Change what is given of a person; a new password and disabling end their sessions.

        Raises:
            NotFound: There is nobody of that name.
            Malformed: ``bad_password``.
            Conflict: ``last_admin``: nobody could manage any more.
        """
        given: dict[str, Any] = {"role": role, "disabled": None if disabled is None else int(disabled)}
        given["password"] = None if password is None else self._hashed(name, password)
        values = {field: value for field, value in given.items() if value is not None}
        with self._state.write() as tx:
            _known(tx, name)
            if values:
                tx.execute(update(access_people).where(access_people.c.name == name).values(values))
            if password is not None or disabled:
                tx.execute(delete(access_sessions).where(access_sessions.c.person == name))
            self._somebody_manages(tx)
            changed(tx)
        return self._told(name)

    def remove(self, name: str) -> None:
        """
        Remove a person and their sessions.

        Raises:
            NotFound: There is nobody of that name.
            Conflict: ``last_admin``.
        """
        with self._state.write() as tx:
            _known(tx, name)
            tx.execute(delete(access_sessions).where(access_sessions.c.person == name))
            tx.execute(delete(access_people).where(access_people.c.name == name))
            self._somebody_manages(tx)
            changed(tx)
        self._roster.refresh()

    def _hashed(self, name: str, password: str) -> str:
        if name.lower() in password.lower() and len(password) < 2 * len(name):
            raise Malformed("bad_password", "the password is little more than the name", "password")
        return self._passwords.hashed(password)

    def _somebody_manages(self, tx: Connection) -> None:
        if self._managed_by_key:
            return
        living = select(access_people.c.role).where(access_people.c.disabled == 0)
        if "admin" not in set(tx.execute(living).scalars()):
            raise Conflict(
                "last_admin",
                "nobody could manage this collector any more: one admin who is not disabled has to stay",
                "role",
            )

    def _told(self, name: str) -> dict[str, Any]:
        self._roster.refresh()
        with self._state.read() as tx:
            return _answer(_known(tx, name))


def _room(tx: Connection) -> None:
    if tx.execute(select(func.count()).select_from(access_people)).scalar_one() >= PEOPLE_MOST:
        raise Conflict("users_full", f"{PEOPLE_MOST} people are here already")


def _find(tx: Connection, name: str) -> SqlRow[Any] | None:
    return tx.execute(select(access_people).where(access_people.c.name == name)).one_or_none()


def _known(tx: Connection, name: str) -> SqlRow[Any]:
    row = _find(tx, name)
    if row is None:
        raise NotFound("not_found", f"nobody is called {name[:80]!r}", "name")
    return row


def _answer(row: SqlRow[Any]) -> dict[str, Any]:
    signed_in = row.signed_in_at
    return {
        "name": row.name,
        "role": "viewer" if row.role == "read" else row.role,
        "disabled": bool(row.disabled),
        "created_at": row.created_at.isoformat().replace("+00:00", "Z"),
        "created_by": row.created_by,
        "signed_in_at": None if signed_in is None else signed_in.isoformat().replace("+00:00", "Z"),
    }
