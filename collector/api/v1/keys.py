"""``/keys``: who may write and ask; for admins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response

from collector.access.keys import OVERLAP_MOST_S, Wanted
from collector.api.answer import Page, answer
from collector.api.params import Ask
from collector.api.v1.session import Role, access_of
from collector.errors import Malformed

router = APIRouter(prefix="/keys", tags=["access"])


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has a character that cannot be printed")
    return text


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]


class KeyFields(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)] = Field(
        description="Stands in logs and the ledger; one of the keys that live."
    )
    kind: Literal["ingest", "read"] = Field(
        "ingest", description="ingest: writes telemetry. read: asks, as a role says."
    )
    role: Role | None = Field(None, description="Of kind read; viewer unless said.")
    services: list[Name] = Field([], max_length=200, description="What it may write as; empty: any service.")
    envs: list[Name] = Field([], max_length=50, description="Where it may write; empty: any environment.")
    expires_at: datetime | None = Field(None, description="RFC 3339; null: never.")
    expires_in_days: int | None = Field(None, ge=1, le=3650, description="Instead of `expires_at`.")


class MadeKey(BaseModel):
    """A key, without its secret."""

    id: str = Field(description="Empty: a key of the settings; it is changed there.")
    name: str
    kind: Literal["ingest", "read"]
    role: Role | None
    services: list[str]
    envs: list[str]
    masked: str = Field(description="The secret's last characters.")
    state: Literal["active", "expired", "revoked"]
    source: Literal["api", "settings"]
    created_at: str | None
    created_by: str
    rotated_at: str | None
    overlap_until: str | None = Field(
        description="Until then the secret before the last rotation opens, too."
    )
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None = Field(description="By the collectors that share the state, up to 10 s late.")


class NewKey(MadeKey):
    """A key with its secret, told this once."""

    secret: str


class Rotation(BaseModel):
    """How to rotate."""

    model_config = ConfigDict(extra="forbid")

    overlap_s: int = Field(
        0, ge=0, le=OVERLAP_MOST_S, description="Seconds for which the secret before opens, too."
    )


@router.get("", response_model=Page[MadeKey])
def list_keys(ask: Ask) -> Response:
    """Keys with what they may, where they are bound and when they were last used; never a secret. POST makes one."""
    access = access_of(ask)
    return answer([*access.static_keys(), *access.keys.all()])


@router.post("", response_model=Page[NewKey])
def make_key(ask: Ask, fields: KeyFields) -> Response:
    """Make a key; its secret is in this answer and nowhere else."""
    return answer([access_of(ask).keys.make(_wanted(fields), ask.caller.name)])


@router.delete("/{key_id}", response_model=Page[MadeKey])
def revoke_key(ask: Ask, key_id: str) -> Response:
    """Revoke a key: it opens nothing any more, at no collector that shares the state."""
    access_of(ask).keys.revoke(key_id)
    return answer([])


@router.post("/{key_id}/rotate", response_model=Page[NewKey])
def rotate_key(ask: Ask, key_id: str, how: Rotation) -> Response:
    """Give a key another secret, told this once; the one before may go on opening for a while."""
    return answer([access_of(ask).keys.rotate(key_id, how.overlap_s)])


def _wanted(fields: KeyFields) -> Wanted:
    if fields.kind == "ingest" and fields.role is not None:
        raise Malformed("bad_key_scope", "role is of keys that ask: leave it out, or write kind=read", "role")
    role = "ingest" if fields.kind == "ingest" else (fields.role or "viewer")
    expires = fields.expires_at
    if expires is not None and fields.expires_in_days is not None:
        raise Malformed("bad_expiry", "expires_at and expires_in_days: write one of them", "expires_in_days")
    if expires is not None and expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    if fields.expires_in_days is not None:
        expires = datetime.now(UTC) + timedelta(days=fields.expires_in_days)
    return Wanted(fields.name, "read" if role == "viewer" else role, fields.services, fields.envs, expires)
