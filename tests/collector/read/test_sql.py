"""Parts of one answer are asked at the same time."""

from __future__ import annotations

from threading import Barrier, Event

import pytest

from collector.errors import QueryError
from collector.read.sql import Reader
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


def test_a_part_that_fails_is_told_when_all_have_ended(store):
    """Nothing runs on for an answer that nobody gets."""
    ended = Event()

    def fails(_):
        raise QueryError("bad_regex", "no")

    with pytest.raises(QueryError):
        Reader(store).together(fails, lambda its: (its.rows("SELECT 1 AS one LIMIT 1"), ended.set()))

    assert ended.is_set()
