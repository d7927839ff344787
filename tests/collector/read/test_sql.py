"""Parts of one answer are asked at the same time."""

from __future__ import annotations

from threading import Barrier, Event

import pytest

from collector.errors import QueryError, Unavailable
from collector.read.sql import Reader
from collector.store.bulkhead import Bulkhead, queries_busy
from tests.collector.read.real_store import store

__all__ = ["store"]


def test_parts_are_asked_at_the_same_time(store):
    """Each waits for the other here; what they give comes in their order, and what they cost is the whole answer's cost."""
    reader, both = Reader(store), Barrier(2)

    def counted(numbers):
        def read(its):
            both.wait(30)
            return its.rows(f"SELECT count() AS n FROM numbers({numbers}) LIMIT 1")[0]["n"]

        return read

    assert reader.together(counted(10), counted(20)) == [10, 20]
    assert reader.cost.rows_read == 30


def test_parts_know_what_one_of_them_found(store):
    """What is read once for a question is read once for all its parts that come after."""
    reader, asked = Reader(store), []
    reader.together(lambda its: its.once("found", lambda: asked.append(1)))
    reader.together(lambda its: its.once("found", lambda: asked.append(2)))

    assert asked == [1]


def test_parts_of_one_answer_take_one_place_to_wait(store):
    """However many are asked at the same time, other questions find as much room as if they were asked one after another."""
    one_turn = Bulkhead(at_once=1, waiting=1, wait_s=60)

    def asked(its):
        return its.rows("SELECT sleep(0.1) AS slept LIMIT 1")[0]["slept"]

    assert Reader(store, bulkhead=one_turn).together(asked, asked, asked) == [0, 0, 0]


def test_parts_of_one_answer_are_refused_together(store):
    """Where there is no turn for one of them the others do not wait as long again, one after another."""
    made = []

    def busy(sentence):
        made.append(sentence)
        return queries_busy(sentence)

    no_turn = Bulkhead(at_once=1, waiting=9, wait_s=0.05, refusal=busy)
    asked = [lambda its: its.rows("SELECT 1 AS one LIMIT 1")] * 5

    with no_turn.turn(), pytest.raises(Unavailable):
        Reader(store, bulkhead=no_turn).together(*asked)
    assert len(made) == 1


def test_a_part_that_fails_is_told_when_all_have_ended(store):
    """Nothing runs on for an answer that nobody gets."""
    ended = Event()

    def fails(_):
        raise QueryError("bad_regex", "no")

    with pytest.raises(QueryError):
        Reader(store).together(fails, lambda its: (its.rows("SELECT 1 AS one LIMIT 1"), ended.set()))

    assert ended.is_set()
