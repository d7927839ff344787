"""``/deploys``: versions, what was told of them, and whether they made things worse; pipelines tell with POST."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Asker, Limited
from collector.catalogue.entry import is_link
from collector.deploys import Deploy as Told
from collector.deploys import Deploys
from collector.errors import Forbidden, Malformed, NotFound
from collector.health.deployed import Asked, deployed
from collector.query.window import SECOND_NS, Window, parse_time, rfc_3339
from collector.receive.authenticate import Key, check_scope

router = APIRouter(tags=["catalogue"])

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A pipeline's clock may be ahead; what was deployed long ago is history.
_AHEAD_NS, _BACK_NS = 3600 * SECOND_NS, 400 * 86_400 * SECOND_NS


class MarkerFields(BaseModel):
    """A deploy as a pipeline tells it."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    service: str = Field(
        "",
        max_length=200,
        description="As its telemetry says `service.name`; may be left out with a key of one service.",
    )
    version: str = Field(min_length=1, max_length=200, description="As its telemetry says `service.version`.")
    env: str = Field(
        "", max_length=200, description="`deployment.environment.name`; empty: wherever the version is seen."
    )
    at: str = Field("", max_length=60, description="RFC 3339 or epoch; empty: now.")
    by: str = Field("", max_length=200, description="Who, or which pipeline.")
    commit: str = Field("", max_length=200)
    url: str = Field("", max_length=2000, description="Of the run or the release: http or https.")
    description: str = Field("", max_length=2000)


class Marker(BaseModel):
    """What was told of a deploy."""

    id: str
    service: str
    version: str
    env: str = Field(description="Empty: none was named.")
    at: str
    by: str
    commit: str
    url: str
    description: str


class Finding(BaseModel):
    """One thing that a verdict rests on."""

    code: str = Field(description="errors, p50, p95, breakers_opened; no_difference, too_little_data.")
    direction: Literal["worse", "better", "none"]
    message: str
    value: float = Field(description="A ratio, milliseconds or a count, as the code says.")
    baseline: float
    statistic: float | None = Field(description="z of the two-proportion test; null for other tests.")


class Numbers(BaseModel):
    """What a side of the comparison served; by spans, but for the rate, which is weighted."""

    calls: int
    rate: float = Field(description="Calls per second.")
    error_ratio: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class Opened(BaseModel):
    """A breaker that opened after the deploy."""

    service: str
    breaker: str
    target: str
    at: str
    on_it: bool = Field(description="Held by a caller on the deployed service; else its own.")


class NewPattern(BaseModel):
    """What it logs now and did not log before."""

    template: str
    count: int
    severity: str
    first_seen: str
    query: str


class Deploy(BaseModel):
    """A version of a service, from the first to the last thing it sent, and how it compares."""

    service: str
    env: str
    version: str
    at: str = Field(description="First seen; where nothing was seen, or a version came back, as it was told.")
    first_seen: str | None = Field(description="Null: told and not seen, or a version that came back.")
    last_seen: str | None
    previous: str | None = Field(description="The version before.")
    markers: list[Marker]
    verdict: Literal["regressed", "improved", "unchanged", "too_little_data"]
    evidence: list[Finding]
    basis: str | None = Field(
        description="What decided: the version beside it, or before. Null: too little data."
    )
    after: Numbers
    baselines: dict[str, Numbers] = Field(
        description="By name: the version beside it, before, at that time the day before."
    )
    breakers_opened: list[Opened] = Field(
        description="At most 20, its own and those that callers hold on it."
    )
    new_patterns: list[NewPattern] | None = Field(
        description="Log patterns that are new; null unless `service` is given, and for all but its newest three deploys."
    )


class DeploysAsked(Limited):
    """Parameters of ``/deploys``."""

    service: str = Field("", description="Only this service; with new log patterns.")
    span_s: int = Field(
        1800, ge=120, le=86_400, description="Length of each side of the comparison, seconds, 120 to 86400."
    )


@router.get("/deploys", response_model=Page[Deploy])
def list_deploys(ask: Ask, asked: Annotated[DeploysAsked, Query()]) -> Response:
    """Versions seen or told of in the window, the newest first, each compared with what was before or beside it."""
    window = asked.window(ask.now_ns)
    wanted = Asked(asked.env, asked.service, asked.limit, asked.span_s)
    return answer(deployed(ask.reader, window, wanted, _markers(ask, window, asked)), ask.reader.cost)


@router.post("/deploys", response_model=Page[Marker])
def tell_deploy(
    ask: Ask,
    fields: MarkerFields,
    idempotency_key: Annotated[
        str, Header(max_length=200, description="Names this deploy: a repeat is told once.")
    ] = "",
) -> Response:
    """Tell of a deploy, as a pipeline does when it is done; a repeat gets the first answer."""
    deploy = _told(ask, fields)
    key = f"{ask.caller.name}/{idempotency_key}" if idempotency_key else ""
    marker, known = _kept(ask).record(deploy, fields.model_dump(), key)
    said = answer([_shown(marker.row())])
    if known:
        said.headers["Fuseboard-Duplicate"] = "true"
    return said


def _markers(ask: Asker, window: Window, asked: DeploysAsked) -> list[dict[str, Any]]:
    if ask.parts.deploys is None:
        return []
    found = ask.parts.deploys.between(
        _moment(window.start_ns), _moment(window.end_ns), asked.env, asked.service
    )
    return [marker.row() for marker in found]


def _told(ask: Asker, fields: MarkerFields) -> Told:
    service, env = _bound(ask.caller, fields)
    if not service:
        raise Malformed("bad_deploy", "service is missing: which one was deployed?", "service")
    if fields.url and not is_link(fields.url):
        raise Malformed("bad_deploy", f"url={fields.url[:100]!r} is no http or https address", "url")
    at_ns = parse_time(fields.at, "at", ask.now_ns) if fields.at else ask.now_ns
    if not ask.now_ns - _BACK_NS <= at_ns <= ask.now_ns + _AHEAD_NS:
        raise Malformed(
            "bad_deploy", f"at={fields.at[:60]!r} is more than an hour ahead, or 400 days ago", "at"
        )
    return Told(
        service, fields.version, env, _moment(at_ns), fields.by, fields.commit, fields.url, fields.description
    )


def _bound(key: Key, fields: MarkerFields) -> tuple[str, str]:
    """Give service and env; a key of one service or one env need not name it."""
    service = fields.service or (key.services[0] if len(key.services) == 1 else "")
    env = fields.env or (key.envs[0] if len(key.envs) == 1 else "")
    check_scope(key, {"service.name": service, "deployment.environment.name": env})
    if key.envs and not env:
        raise Forbidden(
            "key_env", f"the key {key.name!r} is for {', '.join(key.envs)}: name one of them in env", "env"
        )
    return service, env


def _kept(ask: Asker) -> Deploys:
    if ask.parts.deploys is None:
        raise NotFound("not_found", "this collector keeps no deploys")
    return ask.parts.deploys


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {**{name: value for name, value in row.items() if name != "at_ns"}, "at": rfc_3339(row["at_ns"])}


def _moment(at_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_ns // 1000)
