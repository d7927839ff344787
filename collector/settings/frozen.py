"""What every table of settings is: frozen, with nothing unknown in it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A table of settings; an unknown name in it is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Subject(Frozen):
    """The fields of one subject, a part of `Settings`; pydantic makes no validator of its own for it."""

    model_config = ConfigDict(defer_build=True)
