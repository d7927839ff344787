"""The metrics a service exposes at /metrics, each with its help text."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest

from demo.bulkhead import Bulkhead

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """One registry per service process."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a series more per counter that nobody asks for
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.request_seconds = Histogram(
            "http_server_request_duration_seconds",
            "Time from a request's arrival to its answer.",
            ["http_request_method", "http_route", "http_response_status_code"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.call_seconds = Histogram(
            "http_client_request_duration_seconds",
            "Time from a call to a neighbour to its answer or failure.",
            ["peer_service", "outcome"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.not_permitted = Counter(
            "shop_breaker_not_permitted_calls_total",
            "Calls an open breaker kept from its target.",
            ["name"],
            registry=self.registry,
        )
        self.messages = Counter(
            "shop_queue_messages_total",
            "Messages sent to or taken from a queue, by outcome.",
            ["queue", "outcome"],
            registry=self.registry,
        )
        self.orders = Counter("shop_orders_total", "Orders by outcome.", ["outcome"], registry=self.registry)
        self.bulkhead_rejected = Counter(
            "resilience4j_bulkhead_rejected_calls_total",
            "Calls a full bulkhead turned away.",
            ["name"],
            registry=self.registry,
        )
        self._bulkhead_gauges = {
            "available": self._gauge("available_concurrent_calls", "Free slots."),
            "limit": self._gauge("max_allowed_concurrent_calls", "Slots."),
            "queued": self._gauge("queue_depth", "Calls that wait for a slot."),
            "max_queued": self._gauge("queue_capacity", "Calls that may wait for a slot."),
        }

    def _gauge(self, what: str, text: str) -> Gauge:
        return Gauge(f"resilience4j_bulkhead_{what}", text, ["name"], registry=self.registry)

    def watch_bulkhead(self, bulkhead: Bulkhead) -> None:
        """Show *bulkhead*'s numbers as they are at each scrape; names as resilience4j's Micrometer binder has them."""
        gauges = self._bulkhead_gauges
        gauges["available"].labels(bulkhead.name).set_function(lambda: bulkhead.limit - bulkhead.in_use)
        gauges["limit"].labels(bulkhead.name).set(bulkhead.limit)
        gauges["queued"].labels(bulkhead.name).set_function(lambda: bulkhead.queued)
        gauges["max_queued"].labels(bulkhead.name).set(bulkhead.max_queued)
        self.bulkhead_rejected.labels(bulkhead.name)

    def watch_queue(self, queue: str, waiting: Callable[[], int]) -> None:
        """Show how many messages wait in *queue* at each scrape."""
        depth = Gauge(
            "shop_queue_waiting_messages", "Messages not yet processed.", ["queue"], registry=self.registry
        )
        depth.labels(queue).set_function(waiting)

    def exposition(self) -> bytes:
        """The text a scrape is answered with."""
        return generate_latest(self.registry)
