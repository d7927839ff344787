"""Sessions: a name and a password, or a provider's word, become a token that stands for the person until it ends, is given back, or the person is disabled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from collector.access.attempts import Addresses, Attempts
from collector.access.passwords import Passwords, is_hash
from collector.access.people import People
from collector.access.roster import Roster, changed
from collector.access.secret import new_secret
from collector.errors import Unauthenticated
from collector.receive.authenticate import digest_of
from collector.state import State
from collector.state.tables import access_people, access_sessions

# Of one person: a few browsers and screens on a wall; the oldest go.
SESSIONS_MOST = 20


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session."""

    token: str
    name: str
    role: str
    expires_at: datetime


class Sessions:
    """
    Signing in and out.

    Args:
        state: Where sessions stand.
        roster: Told of every change.
        people: Whose passwords may be changed.
        passwords: Hashes.
        lifetime_h: Hours that a session lasts.
    """

    def __init__(
        self, state: State, roster: Roster, people: People, passwords: Passwords, lifetime_h: float
    ) -> None:
        self._state = state
        self._roster = roster
        self._people = people
        self._passwords = passwords
        self._lifetime = timedelta(hours=lifetime_h)
        self._attempts = Attempts()
        self._addresses = Addresses()

    def sign_in(self, name: str, password: str, address: str = "") -> SignedIn:
        """
        Begin a session.

        Args:
            name: Whose.
            password: Theirs.
            address: Where they are (`address.client_of`).

        Raises:
            Unauthenticated: ``sign_in_wrong``: no such name, or not its password, or disabled; it is not said which.
            NoRoom: ``too_many_attempts``.
            Unavailable: ``sign_in_busy``, or the state is away.
        """
        return self.begin(name, self._checked(name, password, address))

    def begin(self, name: str, role: str) -> SignedIn:
        """
        Begin a session of somebody who has shown who they are.

        Raises:
            Unavailable: The state is away.
        """
        now = datetime.now(UTC)
        session = SignedIn(new_secret("session"), name, role, now + self._lifetime)
        with self._state.write() as tx:
            _forget(tx, name, now)
            tx.execute(
                insert(access_sessions).values(
                    digest=digest_of(session.token),
                    person=name,
                    created_at=now,
                    expires_at=session.expires_at,
                )
            )
            tx.execute(update(access_people).where(access_people.c.name == name).values(signed_in_at=now))
            changed(tx)
        self._roster.refresh()
        return session

    def sign_out(self, token: str) -> None:
        """End the session of *token*; one that is none ends nothing."""
        with self._state.write() as tx:
            tx.execute(delete(access_sessions).where(access_sessions.c.digest == digest_of(token)))
            changed(tx)
        self._roster.refresh()

    def new_password(self, name: str, old: str, new: str) -> None:
        """
        Give a person another password; all their sessions end.

        Raises:
            Unauthenticated: ``sign_in_wrong``: *old* is not theirs.
            NoRoom: ``too_many_attempts``.
            Malformed: ``bad_password``.
        """
        self._checked(name, old)
        self._people.change(name, None, None, new)

    def _checked(self, name: str, password: str, address: str = "") -> str:
        self._addresses.check(address)
        self._attempts.check(name)
        with self._state.read() as tx:
            row = tx.execute(select(access_people).where(access_people.c.name == name)).one_or_none()
        # of those a provider vouches for, no password is kept
        usable = row if row is not None and not row.disabled and is_hash(row.password) else None
        if (
            not self._passwords.fits(password, usable.password if usable is not None else None)
            or usable is None
        ):
            self._attempts.wrong(name)
            self._addresses.wrong(address)
            raise Unauthenticated("sign_in_wrong", "no such name, or not its password")
        self._attempts.right(name)
        return str(usable.role)


def _forget(tx: Connection, name: str, now: datetime) -> None:
    """Make room for one more session of a person."""
    tx.execute(delete(access_sessions).where(access_sessions.c.expires_at <= now))
    newest = (
        select(access_sessions.c.digest)
        .where(access_sessions.c.person == name)
        .order_by(access_sessions.c.created_at.desc())
        .limit(SESSIONS_MOST - 1)
    )
    of_person = access_sessions.c.person == name
    tx.execute(delete(access_sessions).where(of_person, access_sessions.c.digest.not_in(newest)))
