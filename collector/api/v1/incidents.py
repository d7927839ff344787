"""``/incidents``: alerts with one root, their time line, suspected cause and impact; acknowledged, annotated, resolved, merged by hand."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from collector.alerting.incidents.service import Incidents
from collector.api.answer import Page, answer
from collector.api.params import Ask, Asked
from collector.errors import NotFound

router = APIRouter(prefix="/incidents", tags=["alerts"])


class Incident(BaseModel):
    """An incident."""

    id: str
    title: str
    state: str = Field(description="open, acknowledged, resolved, merged.")
    severity: str = Field(description="Of the alert that opened it.")
    service: str = Field(
        description="The root: a service or dependency; `rule:<name>` for alerts about none."
    )
    env: str
    opened_at: str
    acknowledged_at: str | None
    resolved_at: str | None
    updated_at: str
    merged_into: str | None
    alerts_firing: int
    alerts_count: int
    cause: dict[str, Any] | None = Field(description="The likeliest, as `/causes` said.")
    url: str


class IncidentInDepth(Incident):
    """An incident with everything known of it; what came from telemetry is a copy that outlives it."""

    alerts: list[dict[str, Any]] = Field(
        description="With `evidence`: the steps by which a caller's alert belongs here, each a breaker or failing calls with a score."
    )
    timeline: list[dict[str, Any]] = Field(
        description="`{at, kind, by, text}`, oldest first: opened, alert_joined, alert_resolved, acknowledged, note, merged, resolved, reopened, health, transition, deploy."
    )
    causes: list[dict[str, Any]]
    impact: dict[str, Any] | None = Field(
        description="`{callers, endpoints, share, upstream, entries, users_share}`, as a breaker's blast radius."
    )
    logs: list[dict[str, Any]]
    traces: list[dict[str, Any]]
    pinned_at: str | None = Field(description="When the telemetry was looked at last.")


class IncidentsAsked(Asked):
    """Parameters of ``/incidents``."""

    state: str = Field(
        "", max_length=100, description="Only these states, comma between; empty: all but merged ones."
    )
    limit: int = Field(100, ge=1, le=1000, description="Most incidents, the newest first.")


class Said(BaseModel):
    """Who does something, and what they say."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(description="Who; required.")
    text: str = Field("", description="What they say.")


class Merging(Said):
    """Into which incident."""

    into: str = Field(max_length=100, description="Id of the incident that goes on.")


@router.get("", response_model=Page[Incident])
def list_incidents(ask: Ask, asked: Annotated[IncidentsAsked, Query()]) -> Response:
    """Incidents, the newest first."""
    states = [state.strip() for state in asked.state.split(",") if state.strip()]
    return answer(_incidents(ask).answers.page(states, asked.limit))


@router.get("/{incident_id}", response_model=Page[IncidentInDepth])
def one_incident(ask: Ask, incident_id: str, asked: Annotated[Asked, Query()]) -> Response:
    """One incident: alerts, time line, suspected causes with evidence, impact, key log records and traces."""
    del asked
    return answer([_incidents(ask).answers.one(incident_id)])


@router.get("/{incident_id}/export", response_class=Response)
def export_incident(ask: Ask, incident_id: str, asked: Annotated[Asked, Query()]) -> Response:
    """One incident as Markdown, to be completed by hand afterwards."""
    del asked
    text = _incidents(ask).answers.export(incident_id)
    headers = {"Content-Disposition": f'attachment; filename="incident-{incident_id}.md"'}
    return Response(text, media_type="text/markdown; charset=utf-8", headers=headers)


@router.post("/{incident_id}/ack", response_model=Page[IncidentInDepth])
def acknowledge(ask: Ask, incident_id: str, said: Said) -> Response:
    """Say that somebody works on it: its alerts are not repeated."""
    found = _incidents(ask)
    found.hands.acknowledge(incident_id, said.by, said.text)
    return answer(found.done(incident_id))


@router.post("/{incident_id}/note", response_model=Page[IncidentInDepth])
def note(ask: Ask, incident_id: str, said: Said) -> Response:
    """Write something into its time line, also after its end."""
    found = _incidents(ask)
    found.hands.note(incident_id, said.by, said.text)
    return answer(found.done(incident_id))


@router.post("/{incident_id}/resolve", response_model=Page[IncidentInDepth])
def resolve(ask: Ask, incident_id: str, said: Said) -> Response:
    """End it, whatever still fires; only another page of its root opens it again."""
    found = _incidents(ask)
    found.hands.resolve(incident_id, said.by, said.text)
    return answer(found.done(incident_id))


@router.post("/{incident_id}/merge", response_model=Page[IncidentInDepth])
def merge(ask: Ask, incident_id: str, merging: Merging) -> Response:
    """Let everything of it belong to another incident; the answer is that one."""
    found = _incidents(ask)
    found.hands.merge(incident_id, merging.into, merging.by, merging.text)
    return answer(found.done(merging.into))


def _incidents(ask: Ask) -> Incidents:
    if ask.parts.incidents is None:
        raise NotFound("not_found", "this collector keeps no incidents")
    return ask.parts.incidents
