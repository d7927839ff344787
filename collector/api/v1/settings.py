"""``/settings``: how the collector is set; for admins."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask

router = APIRouter(tags=["access"])


class Setting(BaseModel):
    """One setting as it is in force."""

    name: str = Field(description="In fuseboard.toml; the environment's is FUSEBOARD_ and this in capitals.")
    value: str = Field(description="As `fuseboard check` prints it: secrets masked; empty: not set.")
    help: str


@router.get("/settings", response_model=Page[Setting])
def list_settings(ask: Ask) -> Response:
    """Every setting in force, secrets masked."""
    return answer([{"name": name, "value": value, "help": said} for name, value, said in ask.parts.settings])
