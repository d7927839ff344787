"""
Which metrics of which libraries tell of a circuit breaker, and how they are read.

A row says: samples of *metric* whose *label* is *value* (both empty: all) play a *role* for the breaker named by the labels *name*
(joined by ``/``).

=================  ======================================================================================================
role               what a sample says
=================  ======================================================================================================
``state``          1 = the breaker is in the state that the label ``state`` names
``number``         the state itself: 0 closed, 1 half open, 2 open
``flag``           more than 0 = open
``opened`` …       counters of changes: ``opened``, ``half_opened``, ``closed``
``not_permitted``  counter of calls an open breaker turned away
``failure_rate``   per cent, below 0 = too few calls; ``slow_call_rate`` likewise
``calls``          calls in the breaker's window
=================  ======================================================================================================

Sources: resilience4j's Micrometer binder (TaggedCircuitBreakerMetrics), Micrometer's HystrixMetricsBinder, prometheus-hystrix, Polly's
telemetry (resilience.polly.strategy.events), opossum-prometheus, Envoy's cluster statistics (outlier detection), sony/gobreaker's states, Sentinel
for Go's exporter.
"""

from __future__ import annotations

from typing import NamedTuple


class Way(NamedTuple):
    """One row of the table above."""

    metric: str
    role: str
    name: str
    label: str = ""
    value: str = ""


_R4J, _POLLY = "resilience4j_circuitbreaker", "resilience_polly_strategy_events_total"
_PIPELINE = "pipeline_name/strategy_name"
# Envoy says envoy_cluster_name, Istio's merged metrics cluster_name.
ENVOY_NAME = "envoy_cluster_name/cluster_name"
_OUTLIER = "envoy_cluster_outlier_detection_ejections"

WAYS: tuple[Way, ...] = (
    # resilience4j, Spring Cloud Circuit Breaker over it, and whatever names a state in a label
    Way(f"{_R4J}_state", "state", "name"),
    Way(f"{_R4J}_not_permitted_calls_total", "not_permitted", "name"),
    Way(f"{_R4J}_not_permitted_calls", "not_permitted", "name"),
    Way(f"{_R4J}_failure_rate", "failure_rate", "name"),
    Way(f"{_R4J}_slow_call_rate", "slow_call_rate", "name"),
    Way(f"{_R4J}_buffered_calls", "calls", "name"),
    Way("circuit_breaker_state", "state", "name"),
    Way("circuitbreaker_state", "state", "name"),
    # sony/gobreaker: the numbers of its State
    Way("gobreaker_state", "number", "name"),
    # Hystrix: Micrometer's binder, prometheus-hystrix
    Way("hystrix_circuit_breaker_open", "flag", "key"),
    # a Hystrix stream, as the agent writes it
    Way("hystrix_error_percentage", "failure_rate", "key"),
    Way("hystrix_request_count", "calls", "key"),
    Way("hystrix_execution_total", "not_permitted", "key", "event", "short_circuited"),
    Way("hystrix_command_is_circuit_breaker_open", "flag", "command_name"),
    # Polly 8
    Way(_POLLY, "opened", _PIPELINE, "event_name", "OnCircuitOpened"),
    Way(_POLLY, "half_opened", _PIPELINE, "event_name", "OnCircuitHalfOpened"),
    Way(_POLLY, "closed", _PIPELINE, "event_name", "OnCircuitClosed"),
    # opossum
    Way("circuit", "opened", "name", "event", "open"),
    Way("circuit", "half_opened", "name", "event", "halfOpen"),
    Way("circuit", "closed", "name", "event", "close"),
    Way("circuit", "not_permitted", "name", "event", "reject"),
    # Envoy, Istio: ejecting an outlier is its breaker; its "circuit_breakers" are limits of concurrency (bulkheads)
    Way(f"{_OUTLIER}_active", "flag", ENVOY_NAME),
    Way(f"{_OUTLIER}_enforced_total", "opened", ENVOY_NAME),
    # Sentinel for Go; its exporter's namespace may be left out
    *(
        Way(f"{prefix}circuit_breaker_state_changed_total", role, "resource", "to_state", state)
        for prefix in ("sentinel_go_", "")
        for role, state in (("opened", "Open"), ("half_opened", "HalfOpen"), ("closed", "Closed"))
    ),
)
