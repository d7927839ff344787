"""Saved views: a page with its search and range under a name, for everyone; kept in `state/`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy import Row as SqlRow

from collector.errors import Conflict, NotFound
from collector.state import State
from collector.state.tables import views

# Far above what people find their way in.
VIEWS_MOST = 1000


@dataclass(frozen=True, slots=True)
class View:
    """
    What a view opens.

    Attributes:
        page: Of the dashboards, as its path says: ``logs``.
        name: What people call it; one of a page.
        query: As typed.
        env: "" = every one.
        start: As typed: ``-1h`` moves with the clock, a time stays.
        end: Likewise.
    """

    page: str
    name: str
    query: str = ""
    env: str = ""
    start: str = "-1h"
    end: str = "now"


class Views:
    """
    The saved views.

    Args:
        state: Where they are kept.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def all(self, page: str = "") -> list[dict[str, Any]]:
        """Return the views of *page* ("" = of every one), by name."""
        wanted = select(views).order_by(views.c.page, views.c.name).limit(VIEWS_MOST)
        with self._state.read() as tx:
            rows = tx.execute(wanted.where(views.c.page == page) if page else wanted).all()
        return [_answer(row) for row in rows]

    def save(self, view: View) -> dict[str, Any]:
        """
        Keep a new view.

        Raises:
            Conflict: ``view_exists``: the page has one of that name; ``views_full``.
        """
        identifier = secrets.token_hex(6)
        with self._state.write() as tx:
            if tx.execute(select(func.count()).select_from(views)).scalar_one() >= VIEWS_MOST:
                raise Conflict(
                    "views_full", f"{VIEWS_MOST} views are saved already: delete one that nobody opens"
                )
            _name_is_free(tx, view, identifier)
            tx.execute(insert(views).values(id=identifier, **_columns(view)))
        return self._one(identifier)

    def replace(self, identifier: str, view: View) -> dict[str, Any]:
        """
        Put *view* in the place of another.

        Raises:
            NotFound: There is none.
            Conflict: ``view_exists``.
        """
        with self._state.write() as tx:
            _name_is_free(tx, view, identifier)
            changed = tx.execute(update(views).where(views.c.id == identifier).values(_columns(view)))
            if changed.rowcount == 0:
                raise _unknown(identifier)
        return self._one(identifier)

    def forget(self, identifier: str) -> None:
        """
        Delete a view.

        Raises:
            NotFound: There is none.
        """
        with self._state.write() as tx:
            if tx.execute(delete(views).where(views.c.id == identifier)).rowcount == 0:
                raise _unknown(identifier)

    def _one(self, identifier: str) -> dict[str, Any]:
        with self._state.read() as tx:
            row = tx.execute(select(views).where(views.c.id == identifier)).one_or_none()
        if row is None:
            raise _unknown(identifier)
        return _answer(row)


def _name_is_free(tx: Connection, view: View, identifier: str) -> None:
    same = select(views.c.id).where(views.c.page == view.page, views.c.name == view.name)
    if tx.execute(same).scalar() not in (None, identifier):
        raise Conflict("view_exists", f"the page {view.page!r} has a view {view.name!r} already", "name")


def _columns(view: View) -> Mapping[str, object]:
    fields = asdict(view)
    times = {"range_start": fields.pop("start"), "range_end": fields.pop("end")}
    return {**fields, **times, "updated_at": datetime.now(UTC)}


def _answer(row: SqlRow[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "page": row.page,
        "name": row.name,
        "query": row.query,
        "env": row.env,
        "start": row.range_start,
        "end": row.range_end,
        "updated_at": row.updated_at.isoformat().replace("+00:00", "Z"),
    }


def _unknown(identifier: str) -> NotFound:
    return NotFound("not_found", f"no saved view {identifier[:80]!r}", "view_id")
