"""``/receivers`` and ``/deliveries``: where alerts go, how each receiver stands, what was sent; a test, a second chance."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.alerting.deliveries import Deliveries, Wanted
from collector.api.answer import Page, answer
from collector.api.params import Ask, Asked
from collector.errors import Malformed, NotFound
from collector.query.window import parse_time

router = APIRouter(tags=["alerts"])

DeliveryId = Annotated[int, Path(ge=1, le=2**62)]


class Breaker(BaseModel):
    """Our own circuit breaker before a receiver."""

    state: str = Field(description="closed, open, half_open.")
    failures: int = Field(description="In a row, without an answer below 500.")
    since: str | None
    retry_at: str | None


class Receiver(BaseModel):
    """A receiver."""

    name: str
    kind: str
    url: str = Field(description="Without what is secret in it.")
    types: list[str]
    state: str = Field(
        description="ok, limited (by its rate, or a pause it asked for), open (its breaker), disabled (it answered 410)."
    )
    reason: str
    rate_per_minute: int
    waiting: int = Field(description="Deliveries on their way.")
    oldest_waiting_at: str | None
    last_success_at: str | None
    last_failure_at: str | None
    last_error: str | None
    breaker: Breaker
    heartbeat_s: float | None = Field(description="Seconds between beats of the heartbeat, if it goes here.")


class Attempt(BaseModel):
    """One attempt of a delivery."""

    number: int
    started_at: str
    elapsed_ms: float | None
    address: str | None
    status: int | None = Field(description="Of HTTP, or of SMTP.")
    error: str | None
    body_excerpt: str | None
    interrupted: bool = Field(description="The collector ended before its answer.")


class Delivery(BaseModel):
    """A webhook or mail on its way or delivered."""

    id: int | str
    webhook_id: str
    receiver: str
    type: str
    url: str | None
    status: str = Field(description="pending, delivered, failed.")
    attempts: int
    last_status: int | None
    last_error: str | None
    created_at: str
    next_attempt_at: str | None
    delivered_at: str | None
    attempt_log: list[Attempt] = Field(
        description="The last five attempts, of one delivery up to a thousand."
    )


class OneDelivery(Delivery):
    """A delivery with what it tells."""

    payload: dict[str, Any] = Field(description="The event: {type, timestamp, data}.")


class Tested(BaseModel):
    """What a test brought."""

    receiver: str
    delivery_id: int
    webhook_id: str
    delivered: bool
    status: int | None
    error: str | None
    elapsed_ms: float
    address: str | None
    body_excerpt: str


class DeliveriesAsked(Asked):
    """Parameters of ``/deliveries``."""

    receiver: str = Field("", description="Only to this receiver.")
    status: Literal["", "pending", "delivered", "failed"] = Field(
        "", description="Only pending, delivered or failed ones."
    )
    type: str = Field("", description="Only events of this type: `alert.firing`, …")
    since: str = Field("", description="Only those written since then: RFC 3339, epoch, `-1d`.")
    limit: int = Field(100, ge=1, le=1000, description="Most deliveries.")
    cursor: str = Field("", pattern=r"^\d{0,18}$", description="`next_cursor` of the page before.")


@router.get("/receivers", response_model=Page[Receiver])
def list_receivers(ask: Ask, asked: Annotated[Asked, Query()]) -> Response:
    """Receivers and how each stands: ok, limited, open, disabled."""
    del asked
    return answer(_deliveries(ask).receivers())


@router.post("/receivers/{name}/test", response_model=Page[Tested])
def test_receiver(ask: Ask, name: str) -> Response:
    """Send a test now and say what came back; POST, for admins."""
    return answer([_deliveries(ask).test(name)])


@router.post("/receivers/{name}/enable", response_model=Page[Receiver])
def enable_receiver(ask: Ask, name: str) -> Response:
    """Send again to a receiver that its 410 disabled; POST, for admins."""
    return answer([_deliveries(ask).enable(name)])


@router.get("/deliveries", response_model=Page[Delivery])
def list_deliveries(ask: Ask, asked: Annotated[DeliveriesAsked, Query()]) -> Response:
    """Webhook deliveries, newest first."""
    found = _deliveries(ask).find(
        Wanted(
            asked.receiver,
            asked.status,
            asked.type,
            _since(asked.since, ask.now_ns),
            int(asked.cursor) if asked.cursor else None,
            asked.limit,
        )
    )
    more = str(found[-1]["id"]) if len(found) == asked.limit else None
    return answer(found, next_cursor=more)


@router.get("/deliveries/{delivery_id}", response_model=Page[OneDelivery])
def one_delivery(ask: Ask, delivery_id: DeliveryId, asked: Annotated[Asked, Query()]) -> Response:
    """One delivery with every attempt and what it tells."""
    del asked
    return answer([_deliveries(ask).one(delivery_id)])


@router.post("/deliveries/{delivery_id}/retry", response_model=Page[OneDelivery])
def retry_delivery(ask: Ask, delivery_id: DeliveryId) -> Response:
    """Send a failed delivery again, under its own webhook-id."""
    return answer([_deliveries(ask).again(delivery_id)])


def _since(text: str, now_ns: int) -> datetime | None:
    if not text.strip():
        return None
    try:
        return datetime.fromtimestamp(parse_time(text, "since", now_ns) / 1e9, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise Malformed("bad_time", f"since: {text!r} is beyond all calendars", "since") from error


def _deliveries(ask: Ask) -> Deliveries:
    if ask.parts.deliveries is None:
        raise NotFound("not_found", "this collector delivers nothing")
    return ask.parts.deliveries
