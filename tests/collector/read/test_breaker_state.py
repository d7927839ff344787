"""What one breaker's transitions say together."""

from __future__ import annotations

from collector.read.breakers import BreakerState, InstanceState
from collector.read.transitions import Transition

SECOND = 1_000_000_000


def _transition(at_s: int, before: str, after: str) -> Transition:
    return Transition(
        at_ns=at_s * SECOND, service="checkout", env="demo", breaker="payment", target="payment", instance="checkout-1",
        from_state=before, to_state=after, reason="", derived=False, trace_id="", span_id="",
    )  # fmt: skip


def _state(*hour: Transition) -> BreakerState:
    shown = InstanceState(hour[0], hour[0].to_state)
    return BreakerState("checkout", "demo", "payment", (shown,), hour, 100 * SECOND)


def test_an_open_breaker_is_open_since_its_opening_whatever_its_probes_did() -> None:
    """A failed probe does not make an outage look young."""
    state = _state(
        _transition(40, "half_open", "open"),
        _transition(39, "open", "half_open"),
        _transition(10, "closed", "open"),
    )

    assert state.since_ns == 10 * SECOND
    assert state.opens_1h == 1


def test_a_half_open_breaker_is_so_since_its_probe_began() -> None:
    """Probing is a state of its own."""
    state = _state(_transition(39, "open", "half_open"), _transition(10, "closed", "open"))

    assert state.since_ns == 39 * SECOND
