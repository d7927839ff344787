"""An OpenID provider on loopback: real sockets, real signatures; its tests tell it what to get wrong."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.conftest import eventually

CLIENT, SECRET = "fuseboard", "a secret of the client"
ANA = {"sub": "7", "email": "ana@example.org", "email_verified": True, "groups": ["sre", "staff"]}


@dataclass
class OpenId:
    """The provider. What is set here holds from the next request on."""

    issuer: str = ""
    says: dict[str, Any] = field(default_factory=lambda: dict(ANA))
    """Claims of whoever signs in."""
    wrong: dict[str, Any] = field(default_factory=dict)
    """Claims and headers (``kid``) of the next tokens that are not as they should be; None leaves one out."""
    error: str = ""
    """Why it lets nobody in."""
    userinfo: dict[str, Any] | None = None
    document: Any = None
    """Stands in place of its discovery document, or changes it where it is an object."""
    asked: list[str] = field(default_factory=list)
    """Paths that were asked for."""
    away: bool = False
    keys: list[RSAKey] = field(default_factory=lambda: [_key("k1")])
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def turn_keys(self) -> None:
        """Sign with another key from now on."""
        self.keys.insert(0, _key(f"k{len(self.keys) + 1}"))

    def app(self) -> Starlette:
        """Give the program that answers."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._seen(self.discovery)),
                Route("/jwks", self._seen(self.jwks)),
                Route("/authorize", self._seen(self.authorize)),
                Route("/token", self._seen(self.token), methods=["POST"]),
                Route("/userinfo", self._seen(self.who)),
            ]
        )

    def _seen(self, answer: Any) -> Any:
        async def asked(request: Request) -> Response:
            self.asked.append(request.url.path)
            if self.away:
                return Response("no", 502)
            answered: Response = await answer(request)
            return answered

        return asked

    async def discovery(self, _: Request) -> Response:
        """Say where everything is."""
        told = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/jwks"}
        if self.userinfo is not None:
            told["userinfo_endpoint"] = "/userinfo"
        whole = {"issuer": self.issuer, **{name: self.issuer + path for name, path in told.items()}}
        return JSONResponse(
            self.document if isinstance(self.document, list) else {**whole, **(self.document or {})}
        )

    async def jwks(self, _: Request) -> Response:
        """Give the public keys."""
        return JSONResponse(KeySet(list(self.keys)).as_dict(private=False))

    async def authorize(self, request: Request) -> Response:
        """Let whoever asks in, at once."""
        told = dict(request.query_params)
        assert (told["client_id"], told["response_type"], told["code_challenge_method"]) == (
            CLIENT,
            "code",
            "S256",
        )
        back = {"state": told["state"]}
        if self.error:
            back["error"] = self.error
        else:
            back["code"] = secrets.token_urlsafe(8)
            self.codes[back["code"]] = told
        return RedirectResponse(f"{told['redirect_uri']}?{urlencode(back)}", 302)

    async def token(self, request: Request) -> Response:
        """Exchange a code, once, for whoever knows the secret and the verifier."""
        form = await request.form()
        basic = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '+')}".encode()).decode()
        posted = self.document is not None and (form.get("client_id"), form.get("client_secret")) == (
            CLIENT,
            SECRET,
        )
        if request.headers.get("authorization") != f"Basic {basic}" and not posted:
            return JSONResponse({"error": "invalid_client"}, 401)
        began = self.codes.pop(str(form["code"]), None)
        challenge = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        if (
            began is None
            or base64.urlsafe_b64encode(challenge).decode().rstrip("=") != began["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant", "error_description": "no such code"}, 400)
        if form["redirect_uri"] != began["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse(
            {"access_token": "at", "token_type": "Bearer", "id_token": self.signed(began["nonce"])}
        )

    async def who(self, _: Request) -> Response:
        """Tell more."""
        return JSONResponse(self.userinfo)

    def signed(self, nonce: str) -> str:
        """Make an ID token."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            **self.says,
        }
        claims |= {name: value for name, value in self.wrong.items() if name != "kid"}
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "RS256", "kid": self.wrong.get("kid", self.keys[0].kid)}
        return jwt.encode(header, claims, self.keys[0])


def _key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


@contextmanager
def serving() -> Iterator[OpenId]:
    """Serve a provider on a free port."""
    provider = OpenId()
    server = uvicorn.Server(
        uvicorn.Config(provider.app(), port=0, log_level="warning", ws="none", lifespan="off")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started)
    provider.issuer = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield provider
    server.should_exit = True
    thread.join()
