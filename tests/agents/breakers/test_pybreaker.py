"""The listener for pybreaker, with the real library."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pybreaker
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from agents.breakers.pybreaker import TransitionListener
from agents.breakers.transition import to_logger

ROOT = Path(__file__).resolve().parents[3]


def fail():
    """A dependency that is down."""
    raise ConnectionError("payment is down")


def breaker_with(listener, **more):
    """A breaker that opens at the third failure, and stays so until ``let_recover``."""
    return pybreaker.CircuitBreaker(
        name="payment",
        fail_max=3,
        reset_timeout=3600,
        listeners=[listener],
        throw_new_error_on_trip=False,
        **more,
    )


def let_recover(breaker):
    """Let the time be over after which it tries again."""
    breaker.reset_timeout = 0


def test_each_transition_is_one_object_with_its_numbers():
    """From closed → open → half_open → closed, with failure rate, calls, refused calls and the reason."""
    seen = []
    listener = TransitionListener(service="checkout", emit=seen.append, instance="checkout-1")
    breaker = breaker_with(listener)
    breaker.call(int)
    for _ in range(3):
        with pytest.raises(ConnectionError):
            breaker.call(fail)
    for _ in range(3):
        with pytest.raises(pybreaker.CircuitBreakerError):
            breaker.call(int)
    with pytest.raises(pybreaker.CircuitBreakerError), breaker.calling():
        pass
    let_recover(breaker)
    breaker.call(int)

    assert [(t["from"], t["to"]) for t in seen] == [
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "closed"),
    ]
    opened, trial, _closed = seen
    assert opened["event"] == "circuit_breaker.transition"
    assert (opened["service"], opened["breaker"], opened["target"]) == ("checkout", "payment", "payment")
    assert opened["instance"] == "checkout-1"
    assert (opened["failure_rate"], opened["calls"], opened["not_permitted"]) == (0.75, 4, 0)
    assert opened["reason"] == "ConnectionError: payment is down"
    assert trial["not_permitted"] == 4
    assert opened["at"].endswith("Z")
    assert opened["trace_id"] is None


def test_the_call_that_trips_is_not_counted_as_refused():
    """The library raises CircuitBreakerError for it too; the function was run."""
    seen = []
    listener = TransitionListener(service="checkout", emit=seen.append)
    breaker = breaker_with(listener)
    breaker._throw_new_error_on_trip = True
    for _ in range(2):
        with pytest.raises(ConnectionError):
            breaker.call(fail)
    with pytest.raises(pybreaker.CircuitBreakerError):
        breaker.call(fail)
    let_recover(breaker)
    breaker.call(int)

    assert [t["not_permitted"] for t in seen] == [0, 0, 0]


def test_the_current_span_is_named():
    """With OpenTelemetry active the transition carries the ids of the span in which it happened."""
    seen = []
    breaker = breaker_with(TransitionListener(service="checkout", emit=seen.append))
    with TracerProvider().get_tracer("t").start_as_current_span("charge") as span:
        breaker.open()
        context = span.get_span_context()

    assert seen[0]["trace_id"] == trace.format_trace_id(context.trace_id)
    assert seen[0]["span_id"] == trace.format_span_id(context.span_id)


def test_a_broken_emitter_does_not_break_the_call(caplog):
    """Telling must never be what fails."""

    def broken(_transition):
        raise OSError("disk full")

    breaker = breaker_with(TransitionListener(service="checkout", emit=broken))

    breaker.open()

    assert breaker.current_state == "open"
    assert "could not be written" in caplog.text


def test_a_logger_and_standard_output_get_one_json_line(caplog, capsys):
    """The line is JSON by itself, whatever the logging format is around it."""
    breaker_with(TransitionListener(service="a", emit=to_logger(logging.getLogger("shop")))).open()
    breaker_with(TransitionListener(service="a")).open()

    assert json.loads(caplog.records[0].getMessage())["to"] == "open"
    assert json.loads(capsys.readouterr().out)["to"] == "open"


def test_the_listeners_need_nothing_but_the_standard_library():
    """A service that imports a listener gets no dependency of ours with it."""
    code = (
        "import sys, agents.breakers.pybreaker, agents.breakers.decorator, agents.breakers.circuitbreaker\n"
        "import agents.breakers.purgatory, agents.breakers.tenacity\n"
        "theirs = ('backports', 'opentelemetry', 'pybreaker', 'circuitbreaker', 'purgatory', 'tenacity', 'agents.spool')\n"
        "print([n for n in theirs if n in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)

    assert found.stdout == "[]\n"
