"""
Keys, people and sessions as they stand in `state/`, in memory.

One thread looks every half second whether anything was written (`State.mark`), then at the version (one row by its primary key), and reads the rest when it
moved on: a request costs a hash and a look into a
dict, never a question to a database. When a key was used last is written back every ten seconds, and at the end.

While the state is away what was known last goes on: revoking needs the state, too. A collector that has not reached its state since it began knows no key of
it, and says 503 to those who bring one, not that it is wrong.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, or_, select, update

from collector.errors import Unavailable
from collector.receive.authenticate import Key
from collector.state import State
from collector.state.tables import EPOCH, access_keys, access_people, access_sessions, access_version

log = structlog.get_logger()

EVERY_S = 0.5
_USES_EVERY_S = 10.0
_VERSION_ROW = 1


@dataclass(frozen=True, slots=True)
class _Known:
    """One reading of the state."""

    version: int = -1
    by_digest: Mapping[str, Key] = field(default_factory=dict)
    people: bool = False


class Roster:
    """
    What the state knows, by digest.

    Args:
        state: Where it stands.
        closed: Whether asking needs a session or a key even before there is anybody.
    """

    def __init__(self, state: State, *, closed: bool = False) -> None:
        self._state = state
        self._closed = closed
        self._known = _Known()
        self._used: dict[str, int] = {}
        self._mark: object | None = None
        self._reading = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="roster", daemon=True)
        self._try("roster_away")

    @property
    def reached(self) -> bool:
        """Whether the state was ever read."""
        return self._known.version >= 0

    @property
    def has_people(self) -> bool:
        """Whether somebody who is not disabled may sign in, or a provider may vouch for somebody."""
        return self._closed or self._known.people

    def find(self, digest: str) -> Key | None:
        """Give whose secret has this SHA-256, in hex."""
        return self._known.by_digest.get(digest)

    def used(self, key: Key) -> None:
        """Remember that a key was used now."""
        if key.identifier:
            self._used[key.identifier] = time.time_ns()

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Write what was used last, and end."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        self._try_uses()

    def refresh(self) -> None:
        """
        Read what is new, at once.

        Raises:
            Unavailable: The state is away.
        """
        with self._reading:
            mark = self._state.mark()
            if mark is not None and mark == self._mark and self.reached:
                return
            with self._state.read() as tx:
                version = _version(tx)
                if version != self._known.version:
                    self._known = _read(tx, version)
            self._mark = mark

    def _run(self) -> None:
        uses_at = time.monotonic() + _USES_EVERY_S
        while not self._ending.wait(EVERY_S):
            self._try("roster_away")
            if time.monotonic() >= uses_at:
                self._try_uses()
                uses_at = time.monotonic() + _USES_EVERY_S

    def _try(self, event: str) -> None:
        try:
            self.refresh()
        except Unavailable as error:
            log.warning(event, error=error.message)

    def _try_uses(self) -> None:
        used, self._used = self._used, {}
        if not used:
            return
        try:
            with self._state.write() as tx:
                for identifier, at_ns in used.items():
                    _write_use(tx, identifier, EPOCH + timedelta(microseconds=at_ns // 1000))
        except Unavailable as error:
            log.warning("roster_uses_lost", keys=len(used), error=error.message)


def changed(tx: Connection) -> None:
    """Move the version on: whoever writes one of the tables calls this in the same transaction."""
    moved = tx.execute(
        update(access_version)
        .where(access_version.c.id == _VERSION_ROW)
        .values(version=access_version.c.version + 1)
    )
    if moved.rowcount == 0:
        tx.execute(access_version.insert().values(id=_VERSION_ROW, version=1))


def _version(tx: Connection) -> int:
    found = tx.execute(select(access_version.c.version).where(access_version.c.id == _VERSION_ROW)).scalar()
    return int(found or 0)


def _read(tx: Connection, version: int) -> _Known:
    people = {
        row.name: row for row in tx.execute(select(access_people).where(access_people.c.disabled == 0)).all()
    }
    by_digest = _keys(tx)
    for row in tx.execute(select(access_sessions)).all():
        person = people.get(row.person)
        if person is not None:
            by_digest[row.digest] = Key(
                person.name, "", person.role, expires_ns=_ns(row.expires_at), person=True
            )
    return _Known(version, by_digest, bool(people))


def _keys(tx: Connection) -> dict[str, Key]:
    found: dict[str, Key] = {}
    for row in tx.execute(select(access_keys).where(access_keys.c.revoked_at.is_(None))).all():
        bound = (row.name, "", row.role, tuple(row.services), tuple(row.envs))
        until = _ns(row.expires_at)
        found[row.digest] = Key(*bound, expires_ns=until, identifier=row.id)
        if row.previous_digest is not None:
            before = _ns(row.previous_until)
            found[row.previous_digest] = Key(
                *bound, expires_ns=min(before, until) if until else before, identifier=row.id
            )
    return found


def _ns(at: datetime | None) -> int:
    return 0 if at is None else (at - EPOCH) // timedelta(microseconds=1) * 1000


def _write_use(tx: Connection, identifier: str, at: datetime) -> None:
    older = or_(access_keys.c.last_used_at.is_(None), access_keys.c.last_used_at < at)
    tx.execute(update(access_keys).where(access_keys.c.id == identifier, older).values(last_used_at=at))
