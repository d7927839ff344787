"""``/breakers``: the board, one breaker with its timeline, the transitions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Paged, Windowed
from collector.health import switchboard
from collector.query.window import Window, parse_time
from collector.read.cursors import read_cursor, write_cursor
from collector.read.transitions import Chosen, transitions

router = APIRouter(prefix="/breakers", tags=["breakers"])


class Transition(BaseModel):
    """One change of state, counted once however many ways it arrived."""

    model_config = ConfigDict(populate_by_name=True)

    at: str
    service: str
    env: str
    breaker: str
    target: str
    instance: str
    from_: str = Field(alias="from")
    to: str
    reason: str
    failure_rate: float | None
    slow_call_rate: float | None
    calls: int | None
    not_permitted: int | None
    derived: bool = Field(description="Concluded from samples, not told by the breaker.")
    interval_ms: int = Field(
        description="A derived one happened within so long before `at`; 0: told, or a first sample."
    )
    trace_id: str
    span_id: str


class InstanceState(BaseModel):
    """The breaker in one instance of the service."""

    instance: str
    state: str
    since: str


class TrippedBy(BaseModel):
    """The calls to the target in the opening's minute and the one before, and what was usual in the quarter of an hour before that."""

    kind: str = Field(
        description="errors, latency, or unknown: nothing of the calls that spans tell of was unusual."
    )
    calls: int
    failed: int
    error_ratio: float
    usual_error_ratio: float | None
    p95_ms: float
    usual_p95_ms: float | None


class Cause(BaseModel):
    """The first failing span that led to the opening, and what of the callee tripped it; ids are empty where only the latter is known."""

    service: str
    trace_id: str
    span_id: str
    name: str
    status_message: str
    at: str
    message: str
    tripped_by: TrippedBy | None


class CallerShare(BaseModel):
    """A caller that feels it."""

    service: str
    share: float = Field(description="Of the requests the service got during the opening.")
    requests: int


class Felt(BaseModel):
    """A service upstream that feels it."""

    service: str
    distance: int = Field(description="Calls between it and the breaker's service.")
    share: float = Field(description="Of its requests, those that are hit.")


class EntryRoute(BaseModel):
    """A route by which users come in, with failures since it opened."""

    route: str
    requests: int
    failed: int


class Entry(BaseModel):
    """A service that users call and nobody else does."""

    service: str
    share: float = Field(description="Of its requests, those that are hit.")
    requests: int
    routes: list[EntryRoute] = Field(description="The ten that failed most.")


class BlastRadius(BaseModel):
    """Who feels that the service has lost this dependency, since it opened (whole minutes), weighted where traces are sampled."""

    callers: list[CallerShare]
    endpoints: list[str] = Field(description="The service's routes that failed.")
    share: float = Field(description="Of the requests the service got, those that failed.")
    upstream: list[Felt] = Field(description="Nearest first.")
    entries: list[Entry]
    users_share: float = Field(description="Of all requests that enter the system, those that are hit.")


class Hint(BaseModel):
    """Something about the breaker's configuration that its history speaks against."""

    code: str = Field(
        description="never_opens, small_sample, threshold_100, probes_fail, wait_short, wait_long, disabled."
    )
    message: str
    evidence: dict[str, float]
    change: str = Field(description="What to change.")


class Breaker(BaseModel):
    """One breaker over all instances of its service."""

    service: str
    env: str
    breaker: str
    target: str
    state: str = Field(
        description="The worst of its instances; unknown: the service has been quiet for 5 minutes."
    )
    since: str
    instances: list[InstanceState]
    agree: bool
    opens_1h: int = Field(
        description="Times it opened out of closed; a failed probe goes on with the same opening."
    )
    flapping: bool = Field(description="An instance opened 3 times out of closed within 10 minutes.")
    stuck: bool = Field(description="An instance has been half open for more than 60 s.")
    stale: bool = Field(description="The service has sent nothing for more than 5 minutes.")
    not_permitted_1h: int
    reason: str
    derived: bool
    trace_id: str
    cause: Cause | None
    blast_radius: BlastRadius | None = Field(description="null unless open or half open.")
    hints: list[Hint]


class BreakerWithTimeline(Breaker):
    """One breaker and its transitions in the window, newest first."""

    timeline: list[Transition]


class BreakersAsked(Windowed):
    """Parameters of ``/breakers``."""

    service: str = Field("", description="Only this service's breakers.")


class TransitionsAsked(Paged):
    """Parameters of ``/breakers/transitions``."""

    service: str = Field("", description="Only this service's breakers.")
    breaker: str = Field("", description="Only breakers of this name.")


@router.get("", response_model=Page[Breaker])
def list_breakers(ask: Ask, asked: Annotated[BreakersAsked, Query()]) -> Response:
    """Every breaker as it stands at the window's end, open ones first."""
    rows = switchboard.breakers(ask.reader, asked.window(ask.now_ns), asked.env, asked.service)
    return answer(rows, ask.reader.cost)


@router.get("/transitions", response_model=Page[Transition])
def list_transitions(ask: Ask, asked: Annotated[TransitionsAsked, Query()]) -> Response:
    """Transitions, newest first, each counted once."""
    window, skipped = asked.window(ask.now_ns), 0
    if asked.cursor is not None:
        start, end, skip = read_cursor(asked.cursor, int, int, int)
        assert isinstance(start, int)
        assert isinstance(end, int)
        assert isinstance(skip, int)
        window, skipped = Window(start, end, ask.now_ns), skip
    services = (asked.service,) if asked.service else ()
    every = transitions(ask.reader, window, Chosen(env=asked.env, services=services, breaker=asked.breaker))
    rows = [each.row() for each in every[skipped : skipped + asked.limit]]
    more = len(every) > skipped + asked.limit
    # the page's last time ends the next window, so that transitions which arrive meanwhile move nothing
    cursor = (
        _after(window, rows[-1]["at"], [each.row()["at"] for each in every[: skipped + asked.limit]])
        if more
        else None
    )
    return answer(rows, ask.reader.cost, cursor)


def _after(window: Window, last: str, shown: list[str]) -> str:
    """Go on at the time of the page's last row, leaving out those of this very time that were shown."""
    at_ns = parse_time(last, "cursor", 0)
    return write_cursor(window.start_ns, at_ns + 1, shown.count(last))


@router.get("/{service}/{breaker:path}", response_model=Page[BreakerWithTimeline])
def one_breaker(ask: Ask, service: str, breaker: str, asked: Annotated[Windowed, Query()]) -> Response:
    """One breaker with its timeline; one row per environment that has it."""
    rows = switchboard.breaker(ask.reader, asked.window(ask.now_ns), asked.env, service, breaker)
    return answer(rows, ask.reader.cost)
