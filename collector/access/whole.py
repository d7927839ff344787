"""Keys, people and sessions as one part of the collector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from collector.access.keys import KeyBook
from collector.access.passwords import Passwords
from collector.access.people import People
from collector.access.roster import Roster
from collector.access.sessions import Sessions
from collector.receive.authenticate import Key
from collector.state import State


class Access:
    """
    The part.

    Args:
        state: Where all of it stands.
        static: Keys of the settings; listed beside the others, changed in the settings.
        session_h: Hours that a session lasts.
        passwords: Hashes of passwords.
    """

    def __init__(
        self,
        state: State,
        static: Sequence[Key],
        session_h: float = 168.0,
        passwords: Passwords | None = None,
    ) -> None:
        passwords = passwords or Passwords()
        self._static = tuple(static)
        self.roster = Roster(state)
        self.keys = KeyBook(state, self.roster, ["canary", *(key.name for key in static)])
        managed = any(key.role == "admin" for key in static)
        self.people = People(state, self.roster, passwords, managed_by_key=managed)
        self.sessions = Sessions(state, self.roster, self.people, passwords, session_h)

    def start(self) -> None:
        """Begin to follow the state."""
        self.roster.start()

    def stop(self) -> None:
        """Write what was used last, and end."""
        self.roster.stop()

    def static_keys(self) -> list[dict[str, Any]]:
        """Give the keys of the settings in the shape of `KeyBook.all`; their secrets are not even hinted at."""
        unknown = dict.fromkeys(
            ("created_at", "rotated_at", "overlap_until", "expires_at", "revoked_at", "last_used_at")
        )
        return [
            {
                "id": "",
                "name": key.name,
                "kind": "ingest" if key.role == "ingest" else "read",
                "role": {"ingest": None, "read": "viewer"}.get(key.role, key.role),
                "services": list(key.services),
                "envs": list(key.envs),
                "masked": "********",
                "state": "active",
                "source": "settings",
                "created_by": "",
                **unknown,
            }
            for key in self._static
        ]
