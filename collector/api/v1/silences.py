"""``/silences``: who is not told of which alerts, for how long, by whose word; with a schedule, maintenance windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from starlette.responses import Response

from collector.alerting.expression import parse_duration_s
from collector.alerting.matching import LabelMatcher, Matchers, Operator, parse_matchers
from collector.alerting.silences.schedule import Schedule, parse_schedule
from collector.alerting.silences.service import Silences, Wanted
from collector.api.answer import Page, answer
from collector.api.params import Ask, Asked
from collector.errors import Malformed, NotFound
from collector.query.window import parse_time

router = APIRouter(prefix="/silences", tags=["alerts"])


class MatcherFields(BaseModel):
    """One condition on a label, as Alertmanager writes it."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=200, description="Of the label.")
    value: str = Field(description="Text, or an RE2 expression that fits the whole value.")
    is_regex: bool = Field(default=False, validation_alias=AliasChoices("is_regex", "isRegex"))
    is_equal: bool = Field(default=True, validation_alias=AliasChoices("is_equal", "isEqual"))

    def matcher(self) -> LabelMatcher:
        """Give it; raises ValueError."""
        operators: dict[tuple[bool, bool], Operator] = {
            (False, True): "=",
            (False, False): "!=",
            (True, True): "=~",
            (True, False): "!~",
        }
        return LabelMatcher(self.name, operators[self.is_regex, self.is_equal], self.value)


class MatchersFields(BaseModel):
    """Which alerts."""

    model_config = ConfigDict(extra="forbid")

    matchers: list[MatcherFields] | str = Field(
        description='Conditions, all of which an alert meets; or as text: `service="checkout", severity=~"page|ticket"`.'
    )

    def parsed(self) -> Matchers:
        """
        Give the matchers.

        Raises:
            Malformed: One is wrong.
        """
        try:
            if isinstance(self.matchers, str):
                return parse_matchers(self.matchers)
            return tuple(each.matcher() for each in self.matchers)
        except ValueError as error:
            raise Malformed("bad_silence", f"matchers: {error}", "matchers") from error


class SilenceFields(MatchersFields):
    """What somebody wants silenced. Alertmanager's names are taken too."""

    id: str = Field("", max_length=100, description="Of the silence to change; empty: a new one.")
    starts_at: str = Field(
        "",
        max_length=60,
        validation_alias=AliasChoices("starts_at", "startsAt"),
        description="RFC 3339, epoch, `now`, `+1h`; empty: now, or as it was.",
    )
    ends_at: str = Field(
        "",
        max_length=60,
        validation_alias=AliasChoices("ends_at", "endsAt"),
        description="Likewise; empty with `duration`, or with a `schedule` that goes on until somebody ends it.",
    )
    duration: str = Field(
        "", max_length=40, description="Instead of `ends_at`: `2h`, counted from its start."
    )
    schedule: dict[str, Any] | None = Field(
        None,
        description="For a maintenance window that comes back: `{weekdays, start, end, timezone}` or `{rrule, first, duration, timezone}`.",
    )
    created_by: str = Field(
        "",
        validation_alias=AliasChoices("created_by", "createdBy"),
        description="Who says so; required.",
    )
    comment: str = Field("", description="Why; required.")


class Silence(BaseModel):
    """A silence."""

    id: str
    state: str = Field(description="active, pending (also a window between its times), expired.")
    matchers: list[dict[str, Any]]
    text: str = Field(description="The matchers in one line.")
    starts_at: str
    ends_at: str | None
    schedule: dict[str, Any] | None
    until: str | None = Field(description="Of an active one: when it stops silencing.")
    next_at: str | None = Field(description="Of a window: when it silences next.")
    created_by: str
    comment: str
    created_at: str
    updated_at: str
    alerts: list[dict[str, Any]] = Field(description="Living alerts it is about, at most 100.")
    alerts_count: int


class SilencedAlert(BaseModel):
    """A living alert that a silence would be about."""

    id: str
    rule: str
    state: str
    labels: dict[str, str]


@router.get("", response_model=Page[Silence])
def list_silences(ask: Ask, asked: Annotated[Asked, Query()]) -> Response:
    """Silences and maintenance windows: active, pending, and those that ended within five days."""
    del asked
    return answer(_silences(ask).all())


@router.post("", response_model=Page[Silence])
def put_silence(ask: Ask, fields: SilenceFields) -> Response:
    """Make a silence or a maintenance window; with `id`, change that one."""
    matchers = fields.parsed()
    starts_at, ends_at = _times(fields, ask.now_ns)
    wanted = Wanted(
        matchers, fields.created_by, fields.comment, starts_at, ends_at, _schedule(fields), fields.id
    )
    return answer([_silences(ask).put(wanted)])


@router.post("/preview", response_model=Page[SilencedAlert])
def preview_silence(ask: Ask, fields: MatchersFields) -> Response:
    """The living alerts that a silence with these matchers would be about; nothing is kept."""
    return answer(_silences(ask).preview(fields.parsed()))


@router.get("/{silence_id}", response_model=Page[Silence])
def one_silence(ask: Ask, silence_id: str, asked: Annotated[Asked, Query()]) -> Response:
    """One silence with the living alerts it is about; DELETE ends it now."""
    del asked
    return answer([_silences(ask).one(silence_id)])


@router.delete("/{silence_id}", response_model=Page[Silence])
def end_silence(ask: Ask, silence_id: str) -> Response:
    """End a silence now."""
    return answer([_silences(ask).end(silence_id)])


def _times(fields: SilenceFields, now_ns: int) -> tuple[datetime | None, datetime | None]:
    starts_at = _time(fields.starts_at, "starts_at", now_ns)
    ends_at = _time(fields.ends_at, "ends_at", now_ns)
    if not fields.duration:
        return starts_at, ends_at
    if ends_at:
        raise Malformed("bad_silence", "duration: give it or ends_at, not both", "duration")
    try:
        length = timedelta(seconds=parse_duration_s(fields.duration))
    except (ValueError, OverflowError) as error:
        raise Malformed("bad_silence", f"duration: {error}", "duration") from error
    begin = starts_at or datetime.fromtimestamp(now_ns / 1e9, UTC)
    try:
        return starts_at, begin + length
    except OverflowError as error:
        raise Malformed(
            "bad_silence", f"duration: {fields.duration!r} ends beyond all calendars", "duration"
        ) from error


def _time(text: str, name: str, now_ns: int) -> datetime | None:
    return datetime.fromtimestamp(parse_time(text, name, now_ns) / 1e9, UTC) if text.strip() else None


def _schedule(fields: SilenceFields) -> Schedule | None:
    if fields.schedule is None:
        return None
    try:
        return parse_schedule(fields.schedule)
    except (ValueError, OverflowError) as error:
        raise Malformed("bad_silence", f"schedule: {error}", "schedule") from error


def _silences(ask: Ask) -> Silences:
    if ask.parts.silences is None:
        raise NotFound("not_found", "this collector keeps no silences")
    return ask.parts.silences
