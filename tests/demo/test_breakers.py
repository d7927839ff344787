"""The lines that breakers write into a service's log."""

from __future__ import annotations

from contextlib import ExitStack

import pybreaker
import pytest
from structlog.stdlib import get_logger
from structlog.testing import capture_logs

from demo.breakers import FAIL_MAX, breaker_for
from demo.settings import ServiceSettings


def _fail() -> None:
    raise ConnectionError("payment is away")


@pytest.fixture
def settings() -> ServiceSettings:
    """Checkout, as a container would start it."""
    return ServiceSettings.from_env("checkout", {})


def test_a_breaker_says_that_it_exists_and_is_closed(settings: ServiceSettings) -> None:
    """The board knows breakers that never opened, and that a restarted process forgot an open one."""
    with capture_logs() as lines:
        breaker_for("payment", settings, get_logger())

    (line,) = lines
    assert line["event"] == "circuit_breaker.transition"
    assert (line["service"], line["breaker"], line["instance"]) == ("checkout", "payment", "checkout-1")
    assert (line["from"], line["to"], line["log_level"]) == ("closed", "closed", "info")


def test_consecutive_failures_open_it_with_one_line_of_evidence(settings: ServiceSettings) -> None:
    """The line has the reason and the calls it rests on; a refused call runs nothing."""
    with capture_logs() as lines:
        breaker = breaker_for("payment", settings, get_logger())
        for _ in range(FAIL_MAX):
            with pytest.raises(ConnectionError):
                breaker.call(_fail)
        with pytest.raises(pybreaker.CircuitBreakerError):
            breaker.call(_fail)

    (opened,) = [line for line in lines if line["from"] != line["to"]]
    assert (opened["from"], opened["to"], opened["calls"]) == ("closed", "open", FAIL_MAX)
    assert opened["failure_rate"] == 1.0
    assert "payment is away" in opened["reason"]


def test_calls_in_flight_when_it_opens_do_not_open_it_twice(settings: ServiceSettings) -> None:
    """Overlapping calls that fail after the trip leave one line, not one each."""
    with capture_logs() as lines:
        breaker = breaker_for("payment", settings, get_logger())
        in_flight = ExitStack()
        for _ in range(FAIL_MAX + 3):
            in_flight.enter_context(breaker.calling())
        with pytest.raises(ConnectionError), in_flight:
            _fail()

    assert [line["to"] for line in lines if line["from"] != line["to"]] == ["open"]
