"""Errors that a log did not hold before."""

from __future__ import annotations

import pytest

from collector.query.window import SECOND_NS, Window
from collector.read import new_errors as module
from collector.read.new_errors import NewError, new_errors
from collector.read.sql import Reader
from tests.collector.read.real_store import NOW_NS, Filler, at, log, store

__all__ = ["store"]

WINDOW = Window(NOW_NS - 900 * SECOND_NS, NOW_NS, NOW_NS)
KEY = ("checkout", "demo")
HOUR_S = 3600


@pytest.fixture
def filler(store):
    """Store a log that is three hours old; each test adds to it."""
    filler = Filler(store)
    filler("logs", [log(-3 * HOUR_S, "started")])
    yield filler
    filler.empty()


def errors(first_s, records, body, severity="error"):
    """So many errors, one a second, each with a number of its own."""
    return [
        log(first_s + n, body.format(n), severity=severity, severity_number=17, line=n)
        for n in range(records)
    ]


def found(store, keys=(KEY,)):
    return new_errors(Reader(store), WINDOW, 300, keys)


def test_a_text_that_was_not_there_before_is_new(store, filler):
    """Its values do not make it another, and it says how often, since when, and how far back nobody said so."""
    filler("logs", errors(-400, 120, "pool p-{} is gone\n  at main.py", "fatal"))

    assert found(store) == {KEY: NewError("pool <*> is gone", 20, f"{at(-400).replace(' ', 'T')}Z", 2)}


def test_what_was_there_before_is_no_news(store, filler):
    """One record of it in the hours before is enough; information is no error."""
    filler("logs", [*errors(-2 * HOUR_S, 1, "pool p-{} is gone"), *errors(-60, 20, "pool p-{} is gone")])
    filler("logs", errors(-60, 20, "request {} served", "info"))

    assert found(store) == {}


def test_few_records_and_young_logs_tell_nothing(store, filler):
    """Nine of one text are an anecdote; a service that began an hour ago has nothing to compare with."""
    filler("logs", errors(-60, 9, "pool p-{} is gone"))
    young = [{**row, "service": "cart"} for row in errors(-HOUR_S, 1, "x {}") + errors(-60, 20, "y {}")]
    filler("logs", young)

    assert found(store, (KEY, ("cart", "demo"))) == {}


def test_the_commonest_is_told_of_each_service_that_is_asked_for(store, filler):
    """One a service; environments are told apart, and nobody else is looked at."""
    filler("logs", errors(-60, 20, "often {}") + errors(-60, 12, "seldom {}"))
    filler("logs", [{**row, "env": "prod"} for row in errors(-60, 20, "elsewhere {}")])

    assert {key: new.text for key, new in found(store).items()} == {KEY: "often <*>"}
    assert new_errors(Reader(store), WINDOW, 300, ()) == {}


def test_of_many_errors_an_hour_is_compared(store, filler, monkeypatch):
    """What a day holds beyond the bound is not read; where an hour holds more, nothing is told."""
    filler("logs", errors(-2.5 * HOUR_S, 30, "old {}") + errors(-60, 20, "old {}"))

    monkeypatch.setattr(module, "_SEVERE_MOST", 40)
    assert found(store)[KEY].hours == 1
    monkeypatch.setattr(module, "_SEVERE_MOST", 10)
    assert found(store) == {}
