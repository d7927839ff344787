"""
Secrets we make: ``fb_<kind>_`` and 32 random bytes in base64url, 43 characters.

The prefix lets people and scanners recognise one that leaked. A digest of 256 random bits needs no salt and no slow hash: there is nothing to guess.
"""

from __future__ import annotations

import secrets

HINT_CHARS = 4


def new_secret(kind: str) -> str:
    """Make a secret of *kind*: ``ingest``, ``read``, ``session``."""
    return f"fb_{kind}_{secrets.token_urlsafe(32)}"


def hint_of(secret: str) -> str:
    """Give what may be shown of a secret, so that people tell theirs apart."""
    return secret[-HINT_CHARS:]
