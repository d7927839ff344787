"""``/session``: who asks, signing in and out."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from collector.access import Access
from collector.access.sessions import SignedIn
from collector.api.answer import Page, answer
from collector.api.params import Ask, Asker
from collector.errors import Conflict, Unavailable
from collector.receive.authenticate import sent_secret

router = APIRouter(prefix="/session", tags=["access"])

Role = Literal["viewer", "editor", "admin"]
_MAY: dict[str, list[str]] = {
    "read": ["read"],
    "editor": ["read", "change"],
    "admin": ["read", "change", "manage"],
}


class Who(BaseModel):
    """Who a request comes from."""

    name: str = Field(description="Of the person or the key; empty: anyone on this machine.")
    kind: Literal["person", "key", "anyone"]
    role: Role
    may: list[str] = Field(
        description="read; change: views, dashboards, the catalogue, silences; manage: keys, users, settings."
    )


class SignIn(BaseModel):
    """Name and password."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    password: str = Field(min_length=1, max_length=1024)


class Session(Who):
    """A new session."""

    token: str = Field(description="Sent as `Authorization: Bearer …`; stands for the person.")
    expires_at: str


class NewPassword(BaseModel):
    """The old password and the new one."""

    model_config = ConfigDict(extra="forbid")

    old: str = Field(min_length=1, max_length=1024)
    new: str = Field(min_length=1, max_length=1024)


class ProviderOffered(BaseModel):
    """The provider people may sign in through."""

    label: str = Field(description="What the button says.")


class ProviderBegun(BaseModel):
    """A sign-in through the provider that begins."""

    url: str = Field(description="Where the browser goes.")
    flow: str = Field(description="To be kept by that browser alone (a cookie) and sent back with the code.")


class ProviderBack(BaseModel):
    """What a browser brings back from the provider."""

    model_config = ConfigDict(extra="forbid")

    flow: str = Field(max_length=4000, description="Of the sign-in that began.")
    state: str = Field(max_length=200, description="As it came back.")
    code: str = Field("", max_length=4000, description="As it came back.")
    error: str = Field("", max_length=1000, description="As it came back, where the provider refused.")


@router.get("", response_model=Page[Who])
def who_asks(ask: Ask) -> Response:
    """Who the key or session of this request stands for, and what it may; signing in and out."""
    kind = "person" if ask.caller.person else "key" if ask.caller.name else "anyone"
    return answer([{"kind": kind, **_who(ask.caller.name, ask.caller.role)}])


@router.post("", response_model=Page[Session])
def sign_in(ask: Ask, asked: SignIn, request: Request) -> Response:
    """Begin a session; five wrong attempts at a name make it wait, and fifty from one address."""
    peer = request.client.host if request.client else ""
    forwarded = request.headers.get("x-forwarded-for", "")
    return _session(access_of(ask).sign_in(asked.name, asked.password, peer, forwarded))


@router.delete("", response_model=Page[Who])
def sign_out(ask: Ask, request: Request) -> Response:
    """End the session that this request came with."""
    token = sent_secret(dict(request.scope["headers"]))
    if ask.caller.person and token is not None:
        access_of(ask).sessions.sign_out(token)
    return answer([])


@router.get("/oidc", response_model=Page[ProviderOffered])
def offer_provider(ask: Ask) -> Response:
    """The OpenID provider people may sign in through; none: `data` is empty. POST ends a sign-in with the code that came back."""
    flow = ask.parts.access.flow if ask.parts.access is not None else None
    return answer([] if flow is None else [{"label": flow.label}])


@router.post("/oidc/begin", response_model=Page[ProviderBegun])
def begin_at_provider(ask: Ask) -> Response:
    """Begin a sign-in through the provider: where the browser goes, and what it has to bring back."""
    begun = access_of(ask).provider().begin()
    return answer([{"url": begun.url, "flow": begun.flow}])


@router.post("/oidc", response_model=Page[Session])
def come_from_provider(ask: Ask, back: ProviderBack) -> Response:
    """End a sign-in through the provider: begins a session."""
    return _session(access_of(ask).finish(back.flow, back.state, back.code, back.error))


@router.put("/password", response_model=Page[Who])
def change_password(ask: Ask, asked: NewPassword) -> Response:
    """Give oneself another password; every session of one's own ends, this one too."""
    if not ask.caller.person:
        raise Conflict("no_person", "a key has no password: sign in as the person whose password it is")
    access_of(ask).sessions.new_password(ask.caller.name, asked.old, asked.new)
    return answer([])


def access_of(ask: Asker) -> Access:
    """
    Give the part that knows keys and people.

    Raises:
        Unavailable: This collector has none.
    """
    if ask.parts.access is None:
        raise Unavailable("state_unavailable", "this collector keeps no keys and no users")
    return ask.parts.access


def _session(session: SignedIn) -> Response:
    expires = session.expires_at.isoformat().replace("+00:00", "Z")
    who = _who(session.name, session.role)
    return answer([{"token": session.token, "expires_at": expires, "kind": "person", **who}])


def _who(name: str, role: str) -> dict[str, object]:
    return {"name": name, "role": "viewer" if role == "read" else role, "may": _MAY.get(role, [])}
