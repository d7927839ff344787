"""``/alerts``, ``/rules`` and ``/pipeline``: they answer while the engine is dead."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.alerting.history import AlertsWanted
from collector.api.answer import Page, answer
from collector.api.params import LIMIT_MOST, Ask, Asked
from collector.query.window import parse_time, parse_window

router = APIRouter()


class Alert(BaseModel):
    """An alert, living or lately resolved."""

    id: str = Field(description="Of this episode: the same labels that begin again have another.")
    rule: str = Field(description="The rule's name.")
    rule_id: str = Field(description="The rule's `id` in `/rules`; what `rule_id` asks for.")
    state: str = Field(description="pending, firing, resolved.")
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default={}, description="Filled when it last changed.")
    since: str = Field(description="When it began to be pending.")
    fired_at: str | None
    resolved_at: str | None
    value: float = Field(description="Of a living one as its rule found it last.")
    message: str = Field(description="Summary or description, else a sentence of ours.")
    url: str = Field(description="Of the page that shows it.")
    reason: str = Field(
        default="",
        description="Of a breaker: why it opened; of one that ended: why, if not by its condition.",
    )
    trace_id: str = Field(default="", description="Of a breaker: the call that opened it.")
    instances: list[dict[str, str]] = Field(
        default=[], description="Of a breaker: `{instance, state, since}` of each."
    )
    silenced_by: list[str] = Field(
        default=[], description="Ids of the silences because of which nobody is told."
    )
    inhibited_by: list[str] = Field(
        default=[],
        description="Ids of the alerts because of which nobody is told: `[[inhibit]]`, or its dependency's.",
    )
    folded: dict[str, Any] | None = Field(
        default=None,
        description="`{service, env, evidence}`: what explains it, by which breakers or failing calls.",
    )
    flapping: bool = False
    incident: str | None = Field(default=None, description="Id of its living incident.")


class Rule(BaseModel):
    """A rule, its state, and how its last evaluation went."""

    name: str
    kind: str = Field(description="expr, record, breaker, bulkhead, search, sql, silent, slo, fuseboard.")
    expr: str
    for_s: float
    keep_firing_for_s: float = 0
    severity: str
    state: str = Field(description="inactive, pending, firing.")
    alerts: dict[str, int] = Field(default={}, description="Living alerts, by state.")
    group: str = ""
    file: str = ""
    line: int = 0
    id: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    interval_s: float = Field(default=0, description="Seconds between evaluations.")
    limit: int = 0
    health: str = Field(default="unknown", description="ok, err, unknown (not evaluated yet).")
    last_error: str = ""
    last_evaluation: str | None = None
    evaluation_s: float = Field(
        default=0, description="Seconds that it took, 0 on a collector that does not evaluate."
    )


class Noise(BaseModel):
    """How noisy a rule is."""

    rule: str
    rule_id: str
    fired: int = Field(description="Times it fired in the window.")
    acknowledged: int = Field(description="Of these, in an incident that somebody acknowledged.")
    unacknowledged: int
    short: int = Field(description="Ended within five minutes.")
    firing: int = Field(description="Still do.")
    subjects: int = Field(description="Different alerts among them.")
    mean_duration_s: float | None = Field(description="Of those that ended.")
    last_fired_at: str
    advice: str = Field(description="What could be done, empty if nothing stands out.")


class NoiseAsked(Asked):
    """Parameters of ``/alerts/noise``."""

    start: str = Field(
        "-7d", max_length=60, description="Alerts that fired since then: RFC 3339, epoch, `-7d`."
    )
    end: str = Field("now", max_length=60, description="As `start`; start ≤ t < end.")
    limit: int = Field(50, ge=1, le=1000, description="Most rules.")


class Pipeline(BaseModel):
    """The collector's own pipeline."""

    canary: dict[str, Any] = Field(
        description="{state, instance, sent, last_stored, latency_s, missing, duplicated, reason}; state: off, starting, ok, waiting "
        "(for the engine), refused (by the front door), missing, duplicated."
    )
    engine: dict[str, Any] = Field(description="{state, since, restarts, last_error}.")
    journal: dict[str, Any] = Field(
        description="{bytes, max_bytes, segments_waiting, damaged_segments, oldest_waiting_s}."
    )
    disk: dict[str, Any] | None = Field(
        default=None,
        description="{bytes, max_bytes, free_bytes, min_free_bytes, dropped: [{at, table, partition, bytes, rows, reason}]}, the newest first: "
        "partitions of the embedded engine that had to go before their time; reason: max_bytes, free_bytes. Null in server mode.",
    )
    quarantine: dict[str, Any] = Field(description="{records}.")
    alerting: dict[str, Any] = Field(
        default={},
        description="{ok, reasons: [{code, message}]}; bad_rule: a rule file changed and is wrong, the rules in force are older.",
    )
    duplicates_refused: dict[str, int] = Field(
        description="Repeated batches that got their first answer since the start, by format."
    )


class AlertsAsked(Asked):
    """Parameters of ``/alerts``."""

    state: Literal["", "pending", "firing", "resolved"] = Field(
        "", description="Only these; empty: pending, firing, and lately resolved."
    )
    rule_id: str = Field(
        "", max_length=64, description="Only those of this rule, also of one that is no more; empty: of any."
    )
    start: str | None = Field(
        None, description="Resolved ones since then, months back; default: a day ago. Written as everywhere."
    )
    end: str | None = Field(None, description="Resolved ones before then; default: now.")
    limit: int = Field(500, ge=1, le=LIMIT_MOST, description="Most alerts.")

    def wanted(self, now_ns: int) -> AlertsWanted:
        """Read the times."""
        return AlertsWanted(
            self.state,
            _time(self.start, "start", now_ns),
            _time(self.end, "end", now_ns),
            self.limit,
            self.rule_id,
        )


def _time(text: str | None, param: str, now_ns: int) -> datetime | None:
    return None if text is None else datetime.fromtimestamp(parse_time(text, param, now_ns) / 1e9, UTC)


@router.get("/alerts", response_model=Page[Alert], tags=["alerts"])
def list_alerts(ask: Ask, asked: Annotated[AlertsAsked, Query()]) -> Response:
    """Alerts: pending, firing, lately resolved."""
    return answer(list(ask.parts.alerts.alerts(asked.wanted(ask.now_ns))))


@router.get("/alerts/noise", response_model=Page[Noise], tags=["alerts"])
def list_noise(ask: Ask, asked: Annotated[NoiseAsked, Query()]) -> Response:
    """Rules that fired most without acknowledgement, the noisiest first."""
    window = parse_window(asked.start, asked.end, ask.now_ns)
    since, until = (datetime.fromtimestamp(ns / 1e9, UTC) for ns in (window.start_ns, window.end_ns))
    return answer(list(ask.parts.alerts.noise(since, until, asked.limit)))


@router.get("/rules", response_model=Page[Rule], tags=["alerts"])
def list_rules(ask: Ask, asked: Annotated[Asked, Query()]) -> Response:
    """Rules and their states."""
    del asked
    return answer(list(ask.parts.alerts.rules()))


@router.get("/pipeline", response_model=Page[Pipeline], tags=["pipeline"])
def pipeline(ask: Ask, asked: Annotated[Asked, Query()]) -> Response:
    """Canary, engine, journal, quarantine."""
    del asked
    return answer([ask.parts.pipeline.pipeline()])
