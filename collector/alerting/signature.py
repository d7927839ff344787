"""
The three headers of Standard Webhooks, version 1.

::

    webhook-id         stable across retries: the receiver's key for "seen already"
    webhook-timestamp  seconds since the epoch, of this attempt
    webhook-signature  v1,<base64 of HMAC-SHA256(secret, "<id>.<timestamp>.<body>")>, one per secret

Several secrets sign side by side, separated by a space: a receiver that knows one of them is
satisfied, so a secret is changed without a delivery that nobody can verify.
Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

from collector.errors import Malformed

SECRET_PREFIX = "whsec_"  # noqa: S105 - the published prefix, not a secret
SHORTEST_BYTES = 24


def decode_secret(secret: str) -> bytes:
    """
    Give the signing key of ``whsec_<base64>``.

    Raises:
        Malformed: No prefix, not base64, or not 24 to 64 bytes (``bad_secret``); never quotes it.
    """
    if not secret.startswith(SECRET_PREFIX):
        raise Malformed("bad_secret", f"a webhook secret starts with {SECRET_PREFIX!r}", "secret")
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("bad_secret", f"after {SECRET_PREFIX!r} comes base64: {error}", "secret") from error
    if not SHORTEST_BYTES <= len(key) <= 64:
        raise Malformed(
            "bad_secret", f"the secret holds {len(key)} bytes: 24 to 64 random bytes are asked for", "secret"
        )
    return key


def sign(secrets: str, webhook_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """
    Give the three Standard Webhooks headers for *body* sent at *at*.

    Args:
        secrets: One secret, or several separated by white space; the first is the newest.
        webhook_id: What happened.
        at: When this attempt is made.
        body: As it leaves.
    """
    timestamp = str(int(at.timestamp()))
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets.split()),
    }


def _signature(secret: str, signed: bytes) -> str:
    digest = hmac.new(decode_secret(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
