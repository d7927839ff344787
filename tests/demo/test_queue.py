"""The durable queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from demo import queue
from demo.queue import OrderQueue


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """Keeps the spans that were made."""
    return InMemorySpanExporter()


@pytest.fixture
def orders(tmp_path: Any, spans: InMemorySpanExporter) -> Iterator[OrderQueue]:
    """The queue ``orders`` on a fresh file."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    opened = OrderQueue(tmp_path / "queue.db", "orders", provider.get_tracer("test"))
    yield opened
    opened.close()


def test_the_consumer_span_is_the_child_of_the_producer_span(
    orders: OrderQueue, spans: InMemorySpanExporter
) -> None:
    """Trace context crosses the queue in the message's headers."""
    orders.send({"order": "o-1"})
    message = orders.take()
    assert message is not None
    with orders.processing(message):
        pass

    sent, processed = spans.get_finished_spans()
    assert (sent.name, processed.name) == ("send orders", "process orders")
    assert processed.parent is not None
    assert processed.parent.span_id == sent.context.span_id
    assert processed.attributes["messaging.destination.name"] == "orders"


def test_a_processed_message_is_gone_and_a_taken_one_is_not_given_twice(orders: OrderQueue) -> None:
    """A lease hides the message; the end of the work removes it."""
    orders.send({"order": "o-1"})
    message = orders.take()

    assert message is not None
    assert message.body == {"order": "o-1"}
    assert orders.take() is None
    with orders.processing(message):
        pass
    assert orders.waiting() == 0


def test_a_failed_message_comes_back_until_it_is_dead(orders: OrderQueue, monkeypatch: Any) -> None:
    """Each failure is an attempt; after the last one the message is kept but no longer delivered."""
    monkeypatch.setattr(queue, "RETRY_DELAY_S", 0.0)
    orders.send({"order": "o-1"})

    attempts = []
    while message := orders.take():
        attempts.append(message.attempts)
        with pytest.raises(RuntimeError), orders.processing(message):
            raise RuntimeError("no")

    assert attempts == [1, 2, 3, 4, 5]
    assert orders.waiting() == 0


def test_a_message_outlives_its_process(orders: OrderQueue, tmp_path: Any) -> None:
    """Another process's end of the queue, opened later, takes what was sent."""
    orders.send({"order": "o-1"})

    other = OrderQueue(tmp_path / "queue.db", "orders", TracerProvider().get_tracer("test"))
    message = other.take()
    other.close()

    assert message is not None
    assert message.body == {"order": "o-1"}
