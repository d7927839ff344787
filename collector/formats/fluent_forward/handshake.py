"""
The handshake of the forward protocol: both sides show that they know the shared key, without saying it.

::

    server: ["HELO", {"nonce": …, "auth": "", "keepalive": true}]
    client: ["PING", hostname, salt, sha512hex(salt + hostname + nonce + key), username, password]
    server: ["PONG", true, "", hostname, sha512hex(salt + hostname + nonce + key)]   or   ["PONG", false, why, "", ""]

Source: https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1#handshake-messages
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

import msgpack  # type: ignore[import-untyped]

from collector.errors import Unauthenticated

_NAME = "fuseboard"
_NONCE_BYTES = 16


class Handshake:
    """One connection's."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._nonce = secrets.token_bytes(_NONCE_BYTES)

    def helo(self) -> bytes:
        """Return what the server says first."""
        return _packed("HELO", {"nonce": self._nonce, "auth": b"", "keepalive": True})

    def pong(self, message: object) -> bytes:
        """
        Return the answer to a PING that knows the key.

        Raises:
            Unauthenticated: ``key_unknown``: it does not, or is none.
        """
        match message:
            case ["PING", str(host), bytes() | str() as salt, str(digest), *_]:
                told = salt if isinstance(salt, bytes) else salt.encode("utf-8", "surrogateescape")
                if hmac.compare_digest(self._digest(told, host), digest):
                    return _packed("PONG", True, "", _NAME, self._digest(told, _NAME))  # noqa: FBT003 - a field of the message
        raise Unauthenticated("key_unknown", "the shared key is another one (fluent_shared_key)")

    def _digest(self, salt: bytes, host: str) -> str:
        told = salt + host.encode("utf-8", "surrogateescape") + self._nonce + self._key
        return hashlib.sha512(told).hexdigest()


def refusal(why: str) -> bytes:
    """Return the PONG that says no."""
    return _packed("PONG", False, why, "", "")  # noqa: FBT003 - a field of the message


def _packed(*fields: object) -> bytes:
    return bytes(msgpack.packb(list(fields)))
