"""``/users``: people who may sign in; for admins."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask
from collector.api.v1.session import Role, access_of

router = APIRouter(prefix="/users", tags=["access"])


class NewUser(BaseModel):
    """A person to be added."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$",
        description="What they sign in with: letters, digits, . _ @ + -",
    )
    role: Role = "viewer"
    password: str = Field(max_length=1024, description="12 characters or more.")


class UserChanges(BaseModel):
    """What is to be changed; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    disabled: bool | None = Field(None, description="True: cannot sign in, and every session ends.")
    password: str | None = Field(None, max_length=1024, description="Every session ends.")


class User(BaseModel):
    """A person."""

    name: str
    role: Role
    disabled: bool
    created_at: str
    created_by: str
    signed_in_at: str | None = Field(description="The last time.")


@router.get("", response_model=Page[User])
def list_users(ask: Ask) -> Response:
    """People who may sign in. POST adds one; the first has to be an admin, and from then on asking needs a key or a session."""
    return answer(access_of(ask).people.all())


@router.post("", response_model=Page[User])
def add_user(ask: Ask, fields: NewUser) -> Response:
    """Add a person."""
    by = ask.caller.name
    return answer([access_of(ask).people.add(fields.name, _role(fields.role), fields.password, by)])


@router.put("/{name}", response_model=Page[User])
def change_user(ask: Ask, name: str, changes: UserChanges) -> Response:
    """Give a person another role or password, or disable them; the last admin stays one."""
    role = None if changes.role is None else _role(changes.role)
    return answer([access_of(ask).people.change(name, role, changes.disabled, changes.password)])


@router.delete("/{name}", response_model=Page[User])
def remove_user(ask: Ask, name: str) -> Response:
    """Remove a person and their sessions."""
    access_of(ask).people.remove(name)
    return answer([])


def _role(role: str) -> str:
    return "read" if role == "viewer" else role
