"""``/queues``: who sends, who takes, how long each is and where that leads."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from collector.api.answer import Page, answer
from collector.api.params import Ask, Limited
from collector.health import queues

router = APIRouter(tags=["map"])


class QueueUser(BaseModel):
    """A service at one end of a queue, as its spans tell."""

    service: str
    rate: float = Field(description="Messages per second; of sampled traces an estimate.")
    error_ratio: float | None = Field(
        description="Of its sendings or processings; null: known by its messages only."
    )
    mean_ms: float | None = Field(description="How long one takes.")
    last_seen: str | None


class Producer(QueueUser):
    """Who sends."""

    sends_to: str = Field(
        description="The destination it names: where that is another one, an exchange routes from there."
    )


class Consumer(QueueUser):
    """Who takes."""

    group: str = Field(description="Its consumer group; empty: none is told.")


class ConsumerGroup(BaseModel):
    """A consumer group as the broker's exporter tells."""

    group: str
    lag: float | None = Field(description="Messages behind, all partitions.")
    members: float | None
    rate_out: float | None = Field(description="Messages per second over the last ten minutes.")


class QueueEvidence(BaseModel):
    """What the verdict rests on."""

    code: str = Field(description="no_consumers, growing, draining, lag, no_broker, dead_letters.")
    message: str
    value: float
    threshold: float


class Queue(BaseModel):
    """A queue, or a topic; amounts are the broker's at the window's end, null where it does not tell."""

    queue: str
    system: str = Field(description="As `messaging.system` says: kafka, rabbitmq, …")
    env: str
    producers: list[Producer]
    consumers: list[Consumer]
    rate_in: float | None = Field(
        description="Messages per second: by the broker's offsets over ten minutes, else by spans over the window."
    )
    rate_out: float | None
    lag: float | None = Field(
        description="Ready and unacknowledged messages; of a topic those of the group furthest behind."
    )
    ready: float | None
    unacked: float | None
    consumer_count: float | None = Field(description="As the broker counts.")
    groups: list[ConsumerGroup]
    waited_p50_ms: float | None = Field(
        description="From the end of sending to the start of taking, of messages whose both spans are there."
    )
    waited_p95_ms: float | None
    verdict: Literal["stuck", "growing", "behind", "draining", "keeping_up", "unknown"]
    drain_s: float | None = Field(
        description="Until it is empty at the trend of the last ten minutes; null unless it drains."
    )
    evidence: list[QueueEvidence]
    dead_letter: bool = Field(description="Whether its name is that of a queue of dead letters.")
    dead_letters_of: str | None = Field(description="The queue whose dead letters these are, by its name.")


@router.get("/queues", response_model=Page[Queue])
def list_queues(ask: Ask, asked: Annotated[Limited, Query()]) -> Response:
    """Queues and topics with who sends and who takes, how far behind they are and whether they grow, the worst first."""
    return answer(
        queues.queues(ask.reader, asked.window(ask.now_ns), asked.env, asked.limit), ask.reader.cost
    )
