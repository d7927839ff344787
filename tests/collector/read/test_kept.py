"""What was read for one question serves others, for a minute."""

from __future__ import annotations

import gc
import weakref

import pytest

from collector.health.facts import board
from collector.query.window import SECOND_NS, Window
from collector.read.breakers import states
from collector.read.kept import Kept
from collector.read.sql import Reader
from tests.collector.read.real_store import NOW_NS, Counting, span, transition

S = SECOND_NS


class Clock:
    """A clock moved by hand, in seconds."""

    now_s = 0.0

    def __call__(self):
        """Give the time."""
        return self.now_s


@pytest.fixture
def clock():
    """A clock that stands still."""
    return Clock()


def test_an_answer_is_read_once_a_minute_and_the_oldest_of_its_kind_make_room(clock):
    """Seven boards of the past do not stay at once, and none stays longer than a minute."""
    kept, read = Kept(clock), []

    def ask(asked):
        return kept.answer(("breakers", asked), lambda: read.append(asked) or len(read))

    assert [ask("a"), ask("a")] == [1, 1]
    clock.now_s = 59.0
    assert ask("a") == 1
    clock.now_s = 60.0
    assert ask("a") == 2
    for other in "bcdefg":
        ask(other)
    assert ask("a") == 9


def test_what_is_over_is_not_held(clock):
    """Large answers are freed with the next one of their kind, not when sixty others have come."""

    class Large:
        """An answer."""

    kept = Kept(clock)
    old = weakref.ref(kept.answer(("causes", "old"), Large))
    clock.now_s = 60.0
    kept.answer(("causes", "new"), Large)

    gc.collect()
    assert old() is None


def test_answers_of_one_kind_push_out_none_of_another(clock):
    """Whoever looks at twenty services after each other finds the signs of all that were read for the first."""
    kept, read = Kept(clock), []

    def ask(kind, asked):
        return kept.answer((kind, asked), lambda: read.append(asked) or len(read))

    first = ask("signs", "all")
    for number in range(20):
        ask("causes", number)
        ask("breakers", number)

    assert [ask("signs", "all"), ask("causes", 0)] == [first, 2]


def test_parts_of_answers_are_read_together_and_once_a_minute(clock):
    """Only what is missing is read, all of it at once; what does not last is read at every question."""
    kept, read = Kept(clock), []

    def ask(*asked):
        def look(missing):
            read.append(tuple(missing))
            return {each: f"{each}{len(read)}" for each in missing}

        return list(kept.parts(asked, look, str.islower).values())

    assert ask("a", "b", "C") == ["a1", "b1", "C1"]
    assert ask("b", "c", "C") == ["b1", "c2", "C2"]
    assert ask("a", "c") == ["a1", "c2"]
    clock.now_s = 60.0
    assert ask("a") == ["a3"]
    assert read == [("a", "b", "C"), ("c", "C"), ("a",)]


def test_what_the_board_said_of_an_earlier_time_is_said_again_within_a_minute(store, fill, clock):
    """Late transitions of the past show after a minute, those of the last five minutes at once."""
    kept = Kept(clock)
    fill("breaker_transitions", [transition(-900, "checkout", "payment", "closed>open")])
    past, lately = (Window(NOW_NS - 3600 * S, NOW_NS - ago_s * S, NOW_NS) for ago_s in (600, 60))

    def ask(window):
        return [len(state.hour) for state in states(Reader(store, kept=kept), window)]

    first = ask(past), ask(lately)
    fill("breaker_transitions", [transition(-700, "checkout", "payment", "open>closed")])
    second = ask(past), ask(lately)
    clock.now_s = 61.0

    assert first == ([1], [1])
    assert second == ([1], [2])
    assert ask(past) == [2]


def test_the_board_of_one_service_takes_the_signs_that_were_read_for_all(store, fill):
    """Of a pass: whoever goes from the list to a service, and on to the next, has what minutes and metrics say looked for once."""
    fill("spans", [span(-60 - number, name, "GET /", kind="server") for number in range(5) for name in "ab"])
    kept, window = Kept(), Window(NOW_NS - 3600 * S, NOW_NS, NOW_NS)

    def asked(service):
        counting = Counting(store)
        rows = board(Reader(counting, kept=kept), window, "", service)
        return [row["service"] for row in rows], len(counting.asked)

    found = [asked(service) for service in ("a", "", "b", "a")]

    assert [names for names, _ in found] == [["a"], ["a", "b"], ["b"], ["a"]]
    first, *later = (statements for _, statements in found)
    assert set(later) == {later[0]}
    assert first >= later[0] + 3
