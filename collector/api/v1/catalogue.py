"""``/catalogue``: who owns a service, and where its runbook is."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Asker, Windowed
from collector.health.topology import protected
from collector.read import services

router = APIRouter(prefix="/catalogue", tags=["catalogue"])


class CatalogueFields(BaseModel):
    """What can be said of a service; links are http or https addresses."""

    model_config = ConfigDict(extra="forbid")

    owner: str | None = Field(None, description="Who is asked first.")
    team: str | None = None
    tier: str | None = Field(None, description="How much depends on it, in your own words.")
    description: str | None = None
    runbook: str | None = Field(None, description="Link: what to do at 3 a.m.")
    docs: str | None = Field(None, description="Link.")
    openapi: str | None = Field(None, description="Link to its API's description.")
    repo: str | None = Field(None, description="Link.")
    receiver: str | None = Field(None, description="Which receiver its alerts go to.")
    slo: str | None = Field(None, description="What was promised of it.")


class CatalogueEntry(CatalogueFields):
    """A service as all sources together tell it."""

    service: str
    sources: dict[str, str] = Field(description="Field -> api, file or attributes.")
    score: float = Field(
        description="Share of owner, runbook, docs, openapi, slo, breakers that is there, 0 to 1."
    )
    missing: list[str] = Field(description="Of those, what is not; breakers: it calls something without one.")
    heard: bool = Field(description="Whether it sent anything in the window.")


@router.get("", response_model=Page[CatalogueEntry])
def list_catalogue(ask: Ask, asked: Annotated[Windowed, Query()]) -> Response:
    """Every service known or heard of in the window, with its owner, its links and what is missing."""
    window = asked.window(ask.now_ns)
    heard, said, behind = ask.reader.together(
        lambda each: services.heard(each, window, asked.env),
        services.described,
        lambda each: protected(each, window, asked.env),
    )
    described: dict[str, dict[str, str]] = defaultdict(dict)
    for (name, env), fields in said.items():
        if asked.env in ("", env):
            described[name].update(_known(fields))
    names = {name for name, _ in heard}
    return answer(ask.parts.catalogue.entries(names, described, behind), ask.reader.cost)


@router.put("/{service}", response_model=Page[CatalogueFields])
def put_entry(ask: Ask, service: str, fields: CatalogueFields) -> Response:
    """Keep these fields for a service, in place of those put before; without any, forget it."""
    return _kept(ask, service, fields)


@router.delete("/{service}", response_model=Page[CatalogueFields])
def forget_entry(ask: Ask, service: str) -> Response:
    """Forget what was put for a service; the file and its attributes speak again."""
    ask.parts.catalogue.forget(service)
    return answer([])


def _kept(ask: Asker, service: str, fields: CatalogueFields) -> Response:
    return answer([ask.parts.catalogue.put(service, fields.model_dump(exclude_none=True))])


def _known(fields: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name in CatalogueFields.model_fields}
