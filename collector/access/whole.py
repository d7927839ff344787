"""Keys, people and sessions as one part of the collector."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from collector.access.address import client_of
from collector.access.keys import KeyBook
from collector.access.passwords import Passwords
from collector.access.people import People
from collector.access.roster import Roster
from collector.access.sessions import Sessions, SignedIn
from collector.errors import NotFound
from collector.receive.authenticate import Key
from collector.state import State

if TYPE_CHECKING:  # needs the extra 'oidc'
    from collector.access.oidc.flow import Flow


class Access:
    """
    The part.

    Args:
        state: Where all of it stands.
        static: Keys of the settings; listed beside the others, changed in the settings.
        session_h: Hours that a session lasts.
        passwords: Hashes of passwords.
        flow: Signing in through a provider; None: there is none.
        provider_makes_admins: Whether it may make somebody an admin.
        trusted_proxies: Networks whose ``X-Forwarded-For`` is believed.
    """

    def __init__(
        self,
        state: State,
        static: Sequence[Key],
        session_h: float = 168.0,
        passwords: Passwords | None = None,
        flow: Flow | None = None,
        *,
        provider_makes_admins: bool = False,
        trusted_proxies: Sequence[str] = (),
    ) -> None:
        passwords = passwords or Passwords()
        self._static = tuple(static)
        self.roster = Roster(state, closed=flow is not None)
        self.flow = flow
        self._trusted = tuple(ip_network(each, strict=False) for each in trusted_proxies)
        self.keys = KeyBook(state, self.roster, ["canary", *(key.name for key in static)])
        managed = provider_makes_admins or any(key.role == "admin" for key in static)
        self.people = People(state, self.roster, passwords, managed_by_key=managed)
        self.sessions = Sessions(state, self.roster, self.people, passwords, session_h)

    def start(self) -> None:
        """Begin to follow the state."""
        self.roster.start()

    def stop(self) -> None:
        """Write what was used last, and end."""
        self.roster.stop()
        if self.flow is not None:
            self.flow.close()

    def sign_in(self, name: str, password: str, peer: str, forwarded: str) -> SignedIn:
        """
        Begin a session of somebody with a password (`Sessions.sign_in`).

        Args:
            name: Whose.
            password: Theirs.
            peer: Address of who is connected.
            forwarded: ``X-Forwarded-For``.
        """
        return self.sessions.sign_in(name, password, client_of(peer, forwarded, self._trusted))

    def finish(self, flow: str, state: str, code: str, error: str) -> SignedIn:
        """
        Begin a session of somebody who comes back from the provider.

        Raises:
            NotFound: ``oidc_off``: there is no provider.
            Unauthenticated: ``oidc_state``, ``oidc_wrong``.
            Forbidden: ``oidc_refused``.
            Conflict: ``name_taken``.
            Unavailable: ``oidc_provider_down``, or the state is away.
        """
        who = self.provider().finish(flow, state, code, error)
        self.people.vouched(who.name, who.role, who.identity)
        return self.sessions.begin(who.name, who.role)

    def provider(self) -> Flow:
        """
        Give the sign-in through a provider.

        Raises:
            NotFound: ``oidc_off``.
        """
        if self.flow is None:
            raise NotFound("oidc_off", "no provider to sign in through is set here ([oidc] of the settings)")
        return self.flow

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
