"""
Keys: who is writing or asking, and what may they.

Those of the settings stand here; those made through the API, and the sessions of people, are asked for by the digest of what was sent (`Issued`), which is a
look into memory. Without keys in the settings, programs on this machine may write; they may ask and change as long as there are no people to sign in.

A key is bound to services and environments; what it writes as another service is refused where the service stands in a header or a path
(403), and overwritten in the mapping's SQL where only the body says it.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from collector.errors import Forbidden, Unauthenticated, Unavailable

# What secrets that we make begin with (`collector.access.secret`).
_OURS = "fb_"


@dataclass(frozen=True, slots=True)
class Key:
    """
    One key, or one session of a person.

    Attributes:
        name: Shown in logs and the ledger in place of the secret.
        secret: What the client sends; "" where only its digest is known.
        role: ``ingest`` (write), ``read`` (ask), ``editor`` (ask, and keep views, dashboards, silences), ``admin`` (all of it, and manage).
        services: Services it may write; empty = any.
        envs: Environments it may write; empty = any.
        expires_ns: When it ends, nanoseconds since the epoch; 0 = never.
        identifier: Of a key made through the API; "" = none.
        person: Whether it is somebody's session.
    """

    name: str
    secret: str
    role: str = "ingest"
    services: Sequence[str] = ()
    envs: Sequence[str] = ()
    expires_ns: int = 0
    identifier: str = ""
    person: bool = False


class Issued(Protocol):
    """Keys made through the API, and sessions, in memory."""

    @property
    def reached(self) -> bool:
        """Whether they were ever read."""

    @property
    def has_people(self) -> bool:
        """Whether anybody may sign in."""

    def find(self, digest: str) -> Key | None:
        """Give whose secret has this digest."""

    def used(self, key: Key) -> None:
        """Remember that a key was used now."""


class NobodyIssued:
    """No keys but those of the settings."""

    def __init__(self) -> None:
        self.reached = True
        self.has_people = False

    def find(self, digest: str) -> Key | None:
        """Find none."""
        del digest
        return None

    def used(self, key: Key) -> None:
        """Remember nothing."""


ANYONE = Key(name="", secret="", role="admin")
_MAY = {
    "write": frozenset({"ingest", "admin"}),
    "read": frozenset({"read", "editor", "admin"}),
    "tell": frozenset({"ingest", "editor", "admin"}),
    "change": frozenset({"editor", "admin"}),
    "manage": frozenset({"admin"}),
}


class Keys:
    """
    Every key there is; without any, everyone on this machine may do everything.

    Args:
        keys: Those of the settings.
        issued: Those made through the API, and sessions.
        own: Our own, accepted beside the others; it makes no key required.
        now_ns: The clock.
    """

    def __init__(
        self,
        keys: Sequence[Key],
        issued: Issued | None = None,
        own: Sequence[Key] = (),
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._required = bool(keys)
        self._issued = issued or NobodyIssued()
        self._now_ns = now_ns
        self._static: dict[str, list[Key]] = {}
        for key in (*keys, *own):
            self._static.setdefault(digest_of(key.secret), []).append(key)

    @property
    def required(self) -> bool:
        """Whether writing needs a key."""
        return self._required

    def open_to(self, action: str) -> bool:
        """Say whether *action* is open to everyone on this machine."""
        return not self._required and (action == "write" or not self._issued.has_people)

    def authenticate(self, headers: Mapping[bytes, bytes], action: str) -> Key:
        """
        Return the key of a request.

        Args:
            headers: Lower-case names.
            action: ``write`` (telemetry), ``read``, ``change`` (views, dashboards, the catalogue, …) or ``manage`` (keys, people, settings).

        Raises:
            Unauthenticated: Keys are required and none, or an unknown one, was sent; or one of ours that is revoked or over.
            Forbidden: The key's role does not allow *action*.
            Unavailable: One of ours was sent, and those were never read.
        """
        secret = sent_secret(headers)
        matches = self._matches(secret) if secret is not None else ()
        if not matches:
            return self._unmatched(secret, action)
        for key in matches:
            if key.role in _MAY[action]:
                self._issued.used(key)
                return key
        raise Forbidden(
            "key_role",
            f"{'' if matches[0].person else 'the key '}{matches[0].name!r} has the role {matches[0].role!r}, which may not {action}",
        )

    def _matches(self, secret: str) -> Sequence[Key]:
        # of random secrets and by digest: how long the look takes tells nothing of them
        digest = digest_of(secret)
        found = self._static.get(digest)
        if found is not None:
            return found
        key = self._issued.find(digest)
        if key is None:
            return ()
        if key.expires_ns and key.expires_ns <= self._now_ns():
            what = (
                "your session is over: sign in again" if key.person else f"the key {key.name!r} has expired"
            )
            raise Unauthenticated("key_expired", what)
        return (key,)

    def _unmatched(self, secret: str | None, action: str) -> Key:
        ours = secret is not None and secret.startswith(_OURS)
        if ours and not self._issued.reached:
            raise Unavailable("state_unavailable", "the keys made through the API could not be read yet")
        if self.open_to(action) and not ours:
            return ANYONE
        if secret is None:
            raise Unauthenticated(
                "key_missing", "this collector requires a key: send 'Authorization: Bearer <key>', or sign in"
            )
        raise Unauthenticated("key_unknown", "the key sent is not one of this collector's keys")


def digest_of(secret: str) -> str:
    """Give SHA-256 of a secret, in hex: what is kept of those that we make."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def check_scope(key: Key, resource: Mapping[str, str]) -> None:
    """
    Refuse a declared resource the key is not bound to.

    Raises:
        Forbidden: ``service.name`` or ``deployment.environment.name`` of *resource* is another's.
    """
    service = resource.get("service.name")
    if service and key.services and service not in key.services:
        raise Forbidden(
            "key_service", f"the key {key.name!r} may not write as service {service!r}", "Fuseboard-Resource"
        )
    env = resource.get("deployment.environment.name") or resource.get("deployment.environment")
    if env and key.envs and env not in key.envs:
        raise Forbidden(
            "key_env", f"the key {key.name!r} may not write to environment {env!r}", "Fuseboard-Resource"
        )


def sent_secret(headers: Mapping[bytes, bytes]) -> str | None:
    """Give the secret that a request brings, if any."""
    return _secret(headers.get(b"authorization", b"").decode("latin-1"))


def _secret(authorization: str) -> str | None:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() in {"bearer", "splunk"} and value.strip():
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2] or None
        except ValueError:
            return None
    return None
