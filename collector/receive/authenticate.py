"""
Static keys: who is writing or asking, and what may they.

A key is bound to services and environments; what it writes as another service is refused where the service stands in a header or a path
(403), and overwritten in the mapping's SQL where only the body says it.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collector.errors import Forbidden, Unauthenticated


@dataclass(frozen=True, slots=True)
class Key:
    """
    One static key.

    Attributes:
        name: Shown in logs and the ledger in place of the secret.
        secret: What the client sends.
        role: ``ingest`` (write), ``read`` (ask), ``admin`` (both, and manage).
        services: Services it may write; empty = any.
        envs: Environments it may write; empty = any.
    """

    name: str
    secret: str
    role: str = "ingest"
    services: Sequence[str] = ()
    envs: Sequence[str] = ()


_ANYONE = Key(name="", secret="", role="admin")
_MAY = {
    "write": frozenset({"ingest", "admin"}),
    "read": frozenset({"read", "admin"}),
    "change": frozenset({"admin"}),
}


class Keys:
    """
    The keys from the settings; without any, everyone on this machine may do everything.

    Args:
        keys: Static keys.
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = tuple(keys)

    @property
    def required(self) -> bool:
        """Whether requests need a key."""
        return bool(self._keys)

    def authenticate(self, headers: Mapping[bytes, bytes], action: str) -> Key:
        """
        Return the key of a request.

        Args:
            headers: Lower-case names.
            action: ``write`` (telemetry), ``read``, or ``change`` (what the collector itself keeps).

        Raises:
            Unauthenticated: Keys are required and none, or an unknown one, was sent.
            Forbidden: The key's role does not allow *action*.
        """
        if not self._keys:
            return _ANYONE
        secret = _secret(headers.get(b"authorization", b"").decode("latin-1"))
        if secret is None:
            raise Unauthenticated(
                "key_missing", "this collector requires a key: send 'Authorization: Bearer <key>'"
            )
        matches = [key for key in self._keys if hmac.compare_digest(key.secret.encode(), secret.encode())]
        if not matches:
            raise Unauthenticated("key_unknown", "the key sent is not one of this collector's keys")
        for key in matches:
            if key.role in _MAY[action]:
                return key
        raise Forbidden(
            "key_role",
            f"the key {matches[0].name!r} has the role {matches[0].role!r}, which may not {action}",
        )


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
