"""Which alerts go to which receiver, and which to nobody."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from collector.settings.frozen import Frozen


class RouteSettings(BaseModel):
    """``[[route]]``: who is told of which alerts, grouped how; what is unset is the parent's."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    match: str = Field(
        "", description='Matchers like \'severity="page", service=~"pay.*"\'; empty = every alert.'
    )
    matchers: tuple[str, ...] = Field((), description="More of them, as a list.")
    receiver: str = Field(
        "",
        description="Name of a receiver, or 'catalogue': the one its service's entry in the catalogue names.",
    )
    receivers: tuple[str, ...] = Field((), description="Several.")
    go_on: bool = Field(
        default=False, alias="continue", description="Whether routes after this one are tried too."
    )
    group_by: tuple[str, ...] | None = Field(
        None, description="Labels that alerts of one group share; '...' = all, each alert alone."
    )
    group_wait: str | float | None = Field(
        None,
        description="How long a new group waits for others to join; seconds, or like '30s' (the default).",
    )
    group_interval: str | float | None = Field(
        None, description="Least time between a notification and the next with something new; default 5m."
    )
    repeat_interval: str | float | None = Field(
        None, description="Time after which what still fires is told again; default 4h."
    )
    mute: tuple[dict[str, Any], ...] = Field(
        (),
        description="Windows in which nobody is told: {weekdays, start, end, timezone} or {rrule, first, duration, timezone}.",
    )
    routes: tuple[RouteSettings, ...] = Field(
        (), description="Routes below it: the first that fits takes the alert."
    )


class InhibitSettings(Frozen):
    """``[[inhibit]]``: alerts that nobody is told of while others fire."""

    source: str = Field(description="Matchers of the alerts that make others needless.")
    target: str = Field(description="Matchers of those others.")
    equal: tuple[str, ...] = Field((), description="Labels in which both agree.")
