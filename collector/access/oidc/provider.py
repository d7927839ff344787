"""
The provider, as we ask it: its discovery document and keys (kept for an hour), its token endpoint, what an ID token says.

Keys are asked for again at once where a token names one that is not known (the provider has changed its keys), though not more often than every
`_AGAIN_S`, or anybody's made-up token would have us ask. Where renewing fails, what was kept goes on; a provider that is down is not asked more often either.

Source: OpenID Connect Core 1.0 §3.1.3.7 and Discovery 1.0 §4.3; RFC 9700 §2.1.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from collector.access.oidc.settings import Client, check_address
from collector.errors import Malformed, Unauthenticated, Unavailable

_KEPT_S = 3600.0
_AGAIN_S = 10.0
_TIMEOUT_S = 10.0
# Signatures that only the provider can make; never `none`, never one made with a shared secret.
_ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
)  # fmt: skip
# Without them there is no sign-in; what else a document says is not needed.
_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a code was worth."""

    id_token: str
    access_token: str


class Provider:
    """
    The provider.

    Args:
        client: We, as it knows us.
        clock: Seconds, monotonic: how old is what is kept.
        now: Seconds since the epoch: what tokens are judged by.
    """

    def __init__(
        self,
        client: Client,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._clock = clock
        self._now = now
        self._http = httpx.Client(timeout=_TIMEOUT_S)
        self._lock = threading.Lock()
        self._document: Mapping[str, Any] = {}
        self._keys: KeySet | None = None
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._failed: Unavailable | None = None

    def close(self) -> None:
        """Let go of its connections."""
        self._http.close()

    def authorization_url(self, state: str, nonce: str, verifier: str) -> str:
        """
        Give where a browser is sent to sign in.

        Raises:
            Unavailable: ``oidc_provider_down``.
        """
        endpoint = self._known()["authorization_endpoint"]
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": self._id,
            "redirect_uri": self._client.redirect_uri,
            "scope": " ".join(self._client.told.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    def exchange(self, code: str, verifier: str) -> Tokens:
        """
        Give a code back for tokens.

        Raises:
            Unauthenticated: ``oidc_wrong``: the provider does not know this code (any more), or us.
            Unavailable: ``oidc_provider_down``.
        """
        endpoint = self._known()["token_endpoint"]
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect_uri,
            "code_verifier": verifier,
        }
        try:
            answer = self._http.post(endpoint, **self._as_client(asked))
            told = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise self._down(endpoint, error) from error
        if not isinstance(told, dict) or answer.status_code >= 500:
            raise self._down(endpoint, f"it answered {answer.status_code}")
        if not answer.is_success or "error" in told:
            why = " ".join(str(told[name])[:200] for name in ("error", "error_description") if name in told)
            raise self._wrong(
                f"it did not take the code ({why or answer.status_code}); are client_id and client_secret those it knows?"
            )
        return Tokens(str(told.get("id_token") or ""), str(told.get("access_token") or ""))

    def claims(self, id_token: str, nonce: str) -> dict[str, Any]:
        """
        Judge an ID token and give what it claims.

        Raises:
            Unauthenticated: ``oidc_wrong``: not signed by the provider, not for us, not for this sign-in, or over.
            Unavailable: ``oidc_provider_down``: its keys cannot be read.
        """
        try:
            claims = dict(self._opened(id_token).claims)
            self._rules(nonce).validate(claims)
        except ExpiredTokenError as error:
            raise self._wrong("its token is over; compare its clock with this machine's") from error
        except InvalidClaimError as error:
            raise self._wrong(f"its token's {error.claim!r} is not what this sign-in needs") from error
        except (JoseError, ValueError) as error:
            raise self._wrong(f"its token cannot be trusted ({error})") from error
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != self._id:
            raise self._wrong("its token was made for several clients and not asked for by this one")
        return claims

    def more_of(self, access_token: str, subject: str) -> dict[str, Any]:
        """Ask who somebody is, where the provider tells more than in the token; {} where it does not, or speaks of another."""
        endpoint = self._known().get("userinfo_endpoint")
        if not endpoint or not access_token:
            return {}
        try:
            answer = self._http.get(str(endpoint), headers={"authorization": f"Bearer {access_token}"})
            told = answer.json() if answer.is_success else {}
        except (httpx.HTTPError, ValueError):
            return {}
        return told if isinstance(told, dict) and told.get("sub") == subject else {}

    @property
    def _id(self) -> str:
        return self._client.told.client_id

    def _as_client(self, asked: dict[str, str]) -> dict[str, Any]:
        """Add who asks, in the way the provider takes: RFC 6749 §2.3.1."""
        methods = self._document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if isinstance(methods, list) and "client_secret_basic" not in methods:
            return {"data": {**asked, "client_id": self._id, "client_secret": self._client.secret}}
        return {"data": asked, "auth": (quote_plus(self._id), quote_plus(self._client.secret))}

    def _opened(self, id_token: str) -> jwt.Token:
        self._known()
        assert self._keys is not None
        try:
            return jwt.decode(id_token, self._keys, algorithms=_ALGORITHMS)
        except InvalidKeyIdError:
            if not self._renewed():
                raise
            return jwt.decode(id_token, self._keys, algorithms=_ALGORITHMS)

    def _rules(self, nonce: str) -> JWTClaimsRegistry:
        return JWTClaimsRegistry(
            now=int(self._now()),
            leeway=int(self._client.told.clock_skew_s),
            iss={"essential": True, "value": self._client.issuer},
            aud={"essential": True, "value": self._id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )

    def _known(self) -> Mapping[str, Any]:
        """Give the discovery document, with keys read: those that are kept, or new ones."""
        with self._lock:
            old = self._clock() - self._read_at > _KEPT_S
            if old and self._clock() - self._tried_at >= _AGAIN_S:
                self._try()
            if not self._document and self._failed is not None:
                raise self._failed
            return self._document

    def _renewed(self) -> bool:
        """Read anew because of a key that is not known; False: that was done a moment ago, or cannot be done."""
        with self._lock:
            if self._clock() - self._tried_at < _AGAIN_S:
                return False
            return self._try()

    def _try(self) -> bool:
        try:
            self._read()
        except Unavailable as error:
            self._failed = error
            return False
        self._failed = None
        return True

    def _read(self) -> None:
        self._tried_at = self._clock()
        address = self._client.issuer.rstrip("/") + "/.well-known/openid-configuration"
        document = self._json(address)
        if document.get("issuer") != self._client.issuer:
            raise self._down(
                address,
                f"it calls itself {document.get('issuer')!r}: write that as oidc.issuer, to the letter",
            )
        missing = [name for name in _NEEDED if not isinstance(document.get(name), str)]
        if missing:
            raise self._down(address, f"it names no {', '.join(missing)}")
        try:
            for name in _NEEDED:
                check_address(name, document[name])
        except Malformed as error:
            raise self._down(address, error.message) from error
        try:
            keys = KeySet.import_key_set(self._json(document["jwks_uri"]))  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._down(document["jwks_uri"], error) from error
        self._document, self._keys, self._read_at = document, keys, self._clock()

    def _json(self, address: str) -> dict[str, Any]:
        try:
            answer = self._http.get(address).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise self._down(address, error) from error
        if not isinstance(answer, dict):
            raise self._down(address, "it answers something else than a JSON object")
        return answer

    def _down(self, address: str, why: object) -> Unavailable:
        text = f"the sign-in provider does not answer as it should at {address}: {why}. Sign in with a password or a key, or try again"
        return Unavailable("oidc_provider_down", text, retry_after_s=10)

    def _wrong(self, why: str) -> Unauthenticated:
        return Unauthenticated(
            "oidc_wrong", f"{self._client.issuer} did not vouch for you: {why}. Begin again"
        )
