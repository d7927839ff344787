"""
One sign-in through the provider: a browser leaves with a state, and comes back with it and a code.

What has to be known when it comes back (state, nonce, the PKCE verifier) travels in a cookie of that browser, signed with a key made from the client
secret: so nothing is kept for those who never come back, and any collector with the same settings may take up a sign-in that another began. A browser
without the cookie is another one: its state is refused. A state that was used is remembered until it would be over anyway; beyond that, and at another
collector, the provider itself takes a code once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from joserfc.jwt import JWTClaimsRegistry

from collector.access.oidc.person import Vouched, found, vouched
from collector.access.oidc.provider import Provider
from collector.access.oidc.settings import Client
from collector.errors import Forbidden, Unauthenticated

LASTS_S = 600
"""Seconds from the button to the way back: as long as somebody looks for their second factor."""
_MOST_USED = 10_000


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that begins."""

    url: str
    flow: str
    """For the cookie; opaque to whoever keeps it."""


class Flow:
    """
    Sign-ins through one provider.

    Args:
        client: We, as it knows us.
        provider: It.
        now: Seconds since the epoch.
    """

    def __init__(self, client: Client, provider: Provider, now: Callable[[], float] = time.time) -> None:
        self._client = client
        self._provider = provider
        self._now = now
        seal = hmac.digest(client.secret.encode(), b"fuseboard oidc flow", hashlib.sha256)
        self._seal = OctKey.import_key(seal)
        self._lock = threading.Lock()
        self._used: OrderedDict[str, float] = OrderedDict()

    @property
    def label(self) -> str:
        """What the button says."""
        return self._client.told.label

    def close(self) -> None:
        """End."""
        self._provider.close()

    def begin(self) -> Begun:
        """
        Begin a sign-in.

        Raises:
            Unavailable: ``oidc_provider_down``.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        url = self._provider.authorization_url(state, nonce, verifier)
        kept = {"state": state, "nonce": nonce, "verifier": verifier, "exp": int(self._now()) + LASTS_S}
        return Begun(url, jwt.encode({"alg": "HS256"}, kept, self._seal))

    def finish(self, flow: str, state: str, code: str, error: str) -> Vouched:
        """
        End a sign-in: who came back?

        Args:
            flow: The cookie.
            state: Of the address.
            code: Of the address; "" if the provider refused.
            error: The provider's word for why, "" if it did not refuse.

        Raises:
            Unauthenticated: ``oidc_state``, ``oidc_wrong``.
            Forbidden: ``oidc_refused``.
            Unavailable: ``oidc_provider_down``.
        """
        kept = self._unsealed(flow)
        if not hmac.compare_digest(kept["state"], state.encode()):
            raise _stale()
        self._use(state)
        if error or not code:
            raise Forbidden("oidc_refused", f"the provider let nobody in: {error[:200] or 'it sent no code'}")
        tokens = self._provider.exchange(code, kept["verifier"].decode())
        claims = self._provider.claims(tokens.id_token, kept["nonce"].decode())
        told = self._client.told
        if any(found(claims, name) is None for name in (told.name_claim, told.roles_claim)):
            claims = {**self._provider.more_of(tokens.access_token, claims["sub"]), **claims}
        return vouched(claims, told)

    def _unsealed(self, flow: str) -> dict[str, bytes]:
        try:
            kept = jwt.decode(flow, self._seal, algorithms=["HS256"]).claims
            JWTClaimsRegistry(now=int(self._now()), exp={"essential": True}).validate(kept)
            return {name: str(kept[name]).encode() for name in ("state", "nonce", "verifier")}
        except (JoseError, ValueError, KeyError) as error:
            raise _stale() from error

    def _use(self, state: str) -> None:
        now = self._now()
        with self._lock:
            if self._used.get(state, 0.0) > now:
                raise _stale()
            self._used[state] = now + LASTS_S
            while self._used and (len(self._used) > _MOST_USED or next(iter(self._used.values())) <= now):
                self._used.popitem(last=False)


def _stale() -> Unauthenticated:
    text = f"this sign-in was begun in another browser, more than {LASTS_S // 60} minutes ago, or is over already: begin again"
    return Unauthenticated("oidc_state", text)
