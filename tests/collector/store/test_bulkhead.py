"""Turns: a bound on those who run, a bound on those who wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from collector.errors import Gone, Unavailable
from collector.store.bulkhead import Bulkhead
from collector.store.question import Question


def waiting(bulkhead: Bulkhead, poll: Callable[..., object]) -> threading.Thread:
    """A thread that waits for a turn, holds it for a moment and goes."""

    def take() -> None:
        with bulkhead.turn():
            pass

    thread = threading.Thread(target=take)
    thread.start()
    poll(lambda: bulkhead.waiting == 1, every_s=0.005)
    return thread


def test_who_comes_last_waits_until_one_ends(poll) -> None:
    """The turn is handed on; nobody is refused."""
    bulkhead = Bulkhead(at_once=2, waiting=1)
    with ExitStack() as held:
        held.enter_context(bulkhead.turn())
        held.enter_context(bulkhead.turn())
        thread = waiting(bulkhead, poll)
    thread.join(timeout=60)

    assert not thread.is_alive()
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


def test_when_enough_wait_the_next_is_told_at_once(poll) -> None:
    """A refusal that says how many, and when to come back; it takes no time and no turn."""
    bulkhead = Bulkhead(at_once=1, waiting=1)
    with ExitStack() as held:
        held.enter_context(bulkhead.turn())
        thread = waiting(bulkhead, poll)
        with (
            pytest.raises(Unavailable, match="1 statements run and 1 wait already") as refused,
            bulkhead.turn(),
        ):
            pass
    thread.join(timeout=60)

    assert (refused.value.code, refused.value.status) == ("queries_busy", 503)
    assert refused.value.retry_after_s >= 1
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


def test_nobody_waits_longer_than_that() -> None:
    """Then it is a refusal too."""
    bulkhead = Bulkhead(at_once=1, waiting=1, wait_s=0.05)
    with bulkhead.turn(), pytest.raises(Unavailable, match=r"none ended within 0\.05 s"), bulkhead.turn():
        pass

    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


def test_one_whose_client_left_gives_up_its_place() -> None:
    """It does not wait for a turn that nobody wants."""
    bulkhead, question = Bulkhead(at_once=1), Question()
    question.leave()
    with bulkhead.turn(), pytest.raises(Gone), bulkhead.turn(question.check):
        pass

    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


def test_a_statement_that_fails_gives_its_turn_back() -> None:
    """Whatever was raised inside."""
    bulkhead = Bulkhead(at_once=1)
    with pytest.raises(ZeroDivisionError), bulkhead.turn():
        _ = 1 / 0

    assert bulkhead.running == 0
