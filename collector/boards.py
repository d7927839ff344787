"""Dashboards that people compose of panels; kept in `state/`, for everyone."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy import Row as SqlRow

from collector.errors import Conflict, NotFound
from collector.state import State
from collector.state.tables import boards

# Far above what people find their way in.
BOARDS_MOST = 1000


class Boards:
    """
    The dashboards.

    Args:
        state: Where they are kept.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def all(self) -> list[dict[str, Any]]:
        """Give every dashboard by name, with the number of its panels in their place."""
        with self._state.read() as tx:
            rows = tx.execute(select(boards).order_by(boards.c.name).limit(BOARDS_MOST)).all()
        return [{**_answer(row), "panels": len(row.panels)} for row in rows]

    def one(self, identifier: str) -> dict[str, Any]:
        """
        Give a dashboard.

        Raises:
            NotFound: There is none of that id.
        """
        with self._state.read() as tx:
            return _answer(_known(tx, identifier))

    def add(self, fields: Mapping[str, Any], by: str) -> dict[str, Any]:
        """
        Keep a new one: ``name``, ``description``, ``panels``.

        Raises:
            Conflict: ``dashboard_exists``: the name is taken; ``dashboards_full``.
        """
        identifier = secrets.token_hex(6)
        with self._state.write() as tx:
            if tx.execute(select(func.count()).select_from(boards)).scalar_one() >= BOARDS_MOST:
                raise Conflict(
                    "dashboards_full",
                    f"{BOARDS_MOST} dashboards are kept already: delete one that nobody opens",
                )
            _name_is_free(tx, fields["name"], identifier)
            values = {**fields, "revision": 1, "updated_at": datetime.now(UTC), "updated_by": by}
            tx.execute(insert(boards).values(id=identifier, **values))
            return _answer(_known(tx, identifier))

    def replace(
        self, identifier: str, fields: Mapping[str, Any], revision: int | None, by: str
    ) -> dict[str, Any]:
        """
        Put *fields* in the place of what is there.

        Args:
            identifier: Of a dashboard.
            fields: As for `add`.
            revision: The one that was changed; ``None`` = whichever is there.
            by: Who does it.

        Raises:
            NotFound: There is none of that id.
            Conflict: ``dashboard_changed``: somebody else did in the meantime; ``dashboard_exists``.
        """
        with self._state.write() as tx:
            now = _known(tx, identifier)
            if revision is not None and revision != now.revision:
                raise Conflict(
                    "dashboard_changed",
                    f"{now.updated_by or 'somebody'} changed {now.name!r} meanwhile (revision {now.revision}, yours is of {revision}): open it again",
                    "revision",
                )
            _name_is_free(tx, fields["name"], identifier)
            values = {
                **fields,
                "revision": now.revision + 1,
                "updated_at": datetime.now(UTC),
                "updated_by": by,
            }
            tx.execute(update(boards).where(boards.c.id == identifier).values(values))
            return _answer(_known(tx, identifier))

    def forget(self, identifier: str) -> None:
        """
        Delete a dashboard.

        Raises:
            NotFound: There is none of that id.
        """
        with self._state.write() as tx:
            if tx.execute(delete(boards).where(boards.c.id == identifier)).rowcount == 0:
                raise _unknown(identifier)


def _known(tx: Connection, identifier: str) -> SqlRow[Any]:
    row = tx.execute(select(boards).where(boards.c.id == identifier)).one_or_none()
    if row is None:
        raise _unknown(identifier)
    return row


def _unknown(identifier: str) -> NotFound:
    return NotFound("not_found", f"no dashboard {identifier[:80]!r}", "dashboard_id")


def _name_is_free(tx: Connection, name: str, identifier: str) -> None:
    if tx.execute(select(boards.c.id).where(boards.c.name == name)).scalar() not in (None, identifier):
        raise Conflict("dashboard_exists", f"a dashboard is called {name!r} already", "name")


def _answer(row: SqlRow[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "panels": row.panels,
        "revision": row.revision,
        "updated_at": row.updated_at.isoformat().replace("+00:00", "Z"),
        "updated_by": row.updated_by,
    }
