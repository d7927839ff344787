"""
Passwords: scrypt of the standard library, ``scrypt$<log2 n>$<r>$<p>$<salt>$<hash>`` in base64.

n = 2^15, r = 8, p = 3 takes 32 MiB and about 0.2 s of a core (OWASP's password storage cheat sheet, 2025). Two are computed at a time, so that a crowd at
the sign-in cannot take the collector's memory or cores; the others wait, and those that would wait too long are told to come back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from threading import BoundedSemaphore

from collector.errors import Malformed, Unavailable

LEAST_CHARS = 12
MOST_CHARS = 1024
_LOG2_N, _R, _P = 15, 8, 3
_MEMORY_BYTES = 64 << 20
_AT_ONCE = 2
_WAIT_S = 5.0


class Passwords:
    """
    Makes and checks hashes of passwords.

    Args:
        log2_n: What new ones cost, as a power of two.
    """

    def __init__(self, log2_n: int = _LOG2_N) -> None:
        self._log2_n = log2_n
        self._turns = BoundedSemaphore(_AT_ONCE)
        # a name that nobody has costs as long as one that somebody has
        self._nobody = self.hashed(secrets.token_urlsafe(16))

    def hashed(self, password: str) -> str:
        """
        Give what is kept of *password*.

        Raises:
            Malformed: ``bad_password``: too short or too long.
        """
        if not LEAST_CHARS <= len(password) <= MOST_CHARS:
            raise Malformed(
                "bad_password", f"a password has {LEAST_CHARS} to {MOST_CHARS} characters", "password"
            )
        salt = secrets.token_bytes(16)
        found = self._scrypt(password, salt, self._log2_n, _R, _P)
        return f"scrypt${self._log2_n}${_R}${_P}${_text(salt)}${_text(found)}"

    def fits(self, password: str, kept: str | None) -> bool:
        """Say whether *password* is the one of *kept*; as slow where nothing is kept."""
        _, log2_n, r, p, salt, expected = (kept or self._nobody).split("$")
        if len(password) > MOST_CHARS:
            return False
        found = self._scrypt(password, base64.b64decode(salt), int(log2_n), int(r), int(p))
        return hmac.compare_digest(found, base64.b64decode(expected)) and kept is not None

    def _scrypt(self, password: str, salt: bytes, log2_n: int, r: int, p: int) -> bytes:
        if not self._turns.acquire(timeout=_WAIT_S):
            raise Unavailable("sign_in_busy", "too many are signing in at this moment", retry_after_s=5)
        try:
            return hashlib.scrypt(
                password.encode("utf-8", "surrogatepass"),
                salt=salt,
                n=1 << log2_n,
                r=r,
                p=p,
                maxmem=_MEMORY_BYTES,
                dklen=32,
            )
        finally:
            self._turns.release()


def is_hash(kept: str) -> bool:
    """Say whether a password is kept, and not another's word for somebody."""
    return kept.startswith("scrypt$")


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
