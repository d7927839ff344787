"""Alerting's own metrics, declared once per process in the registry the collector exposes."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class AlertingMetrics:
    """
    The counters of one :class:`~collector.alerting.service.Alerting`.

    Args:
        registry: The collector's one registry.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.evaluations = Counter(
            "fuseboard_alerting_evaluations_total",
            "Rounds, by outcome: done, no_lease, engine_unavailable, error.",
            ["outcome"],
            registry=registry,
        )
        self.evaluation_seconds = Histogram(
            "fuseboard_alerting_evaluation_seconds",
            "Seconds of a round, reading the breakers and committing included.",
            buckets=(0.005, 0.02, 0.1, 0.5, 2, 5),
            registry=registry,
        )
        self.changes = Counter(
            "fuseboard_alerting_changes_total",
            "Changes of alerts, by kind: pending, firing, resolved, dropped.",
            ["kind"],
            registry=registry,
        )
        self.attempts = Counter(
            "fuseboard_alerting_delivery_attempts_total",
            "Finished delivery attempts, by receiver and verdict: delivered, again, gone, failed.",
            ["receiver", "verdict"],
            registry=registry,
        )
        self.attempt_seconds = Histogram(
            "fuseboard_alerting_delivery_attempt_seconds",
            "Seconds of a delivery attempt, by receiver.",
            ["receiver"],
            buckets=(0.02, 0.1, 0.5, 2, 10, 60),
            registry=registry,
        )
        self.deliveries_pending = Gauge(
            "fuseboard_alerting_deliveries_pending",
            "Deliveries written and not yet delivered or failed, by receiver.",
            ["receiver"],
            registry=registry,
        )
        self.breaker_transitions = Counter(
            "fuseboard_alerting_breaker_transitions_total",
            "Times the breaker before a receiver opened or closed, by receiver and to: open, closed.",
            ["receiver", "to"],
            registry=registry,
        )
        self.heartbeats = Counter(
            "fuseboard_alerting_heartbeats_total",
            "Beats of the dead-man's heartbeat, by outcome: sent, failed, withheld (evaluation does not work).",
            ["outcome"],
            registry=registry,
        )
        self.receiver_up = Gauge(
            "fuseboard_alerting_receiver_up",
            "1 while a receiver may be told, 0 while it is disabled or its breaker is not closed, by receiver.",
            ["receiver"],
            registry=registry,
        )
