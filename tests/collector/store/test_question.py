"""Questions, their limits and their end, on a real engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import pytest

from collector.errors import Gone, Malformed, QueryTooExpensive, StoreUnavailable
from collector.read.sql import Reader
from collector.store.limits import QueryLimits
from collector.store.processes import cancel, progress
from collector.store.question import Question, Questions
from tests.collector.real_engine import engine_at

SLOW = "SELECT count() AS n FROM numbers(9000000000) WHERE NOT ignore(sipHash64(number)) LIMIT 1"
FEW = QueryLimits(time_s=60)
# Nothing that is ended takes this long even on a machine that stands still now and then; `SLOW` takes longer.
SOON_S = 15


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Iterator:
    """A store on a real engine, without tables."""
    from collector.store.client import Store

    with engine_at(tmp_path_factory.mktemp("engine") / "db") as engine:
        yield Store(engine.target)


def running(store) -> int:
    """How many slow statements ClickHouse has."""
    sql = "SELECT count() AS n FROM system.processes WHERE query LIKE '%sipHash64(number%' AND query NOT LIKE '%processes%'"
    return int(store.query(sql).rows[0]["n"])


class Asking(threading.Thread):
    """Somebody who asks the slow question; what came of it is in *outcome*."""

    def __init__(self, store, question: Question, sql: str = SLOW) -> None:
        super().__init__()
        self._reader = Reader(store, question=question)
        self._sql = sql
        self.outcome: object = None
        self.start()

    def run(self) -> None:
        """Ask, and keep what comes of it."""
        try:
            self.outcome = self._reader.rows(self._sql)
        except Exception as error:  # noqa: BLE001 - the outcome is what is looked at
            self.outcome = error


def test_a_statement_ends_in_clickhouse_when_its_asker_leaves(store, poll) -> None:
    """It is gone from system.processes within a moment, and the next one is not begun."""
    questions = Questions(partial(cancel, store))
    with questions.ask("who-asked", FEW) as question:
        asking = Asking(store, question)
        poll(lambda: running(store) == 1, every_s=0.02)
        left_at = time.monotonic()
        questions.leave(question)
        asking.join(timeout=SOON_S)
        took_s = time.monotonic() - left_at

        assert isinstance(asking.outcome, Gone)
        assert took_s < SOON_S
        assert running(store) == 0
        with pytest.raises(Gone):
            Reader(store, question=question).rows("SELECT 1 AS n LIMIT 1")


def test_others_go_on(store, poll) -> None:
    """The same statement of somebody else is not ended with it."""
    questions = Questions(partial(cancel, store))
    with questions.ask("", FEW) as first, questions.ask("", FEW) as second:
        leaving, staying = Asking(store, first), Asking(store, second)
        poll(lambda: running(store) == 2, every_s=0.02)
        questions.leave(first)
        leaving.join(timeout=SOON_S)
        still = running(store)
        questions.leave(second)
        staying.join(timeout=SOON_S)

    assert still == 1
    assert [type(asked.outcome) for asked in (leaving, staying)] == [Gone, Gone]


def test_a_question_that_left_before_its_statement_began(store) -> None:
    """A statement on its way is looked for again until it is found."""
    questions = Questions(partial(cancel, store))
    with questions.ask("", FEW) as question:
        asking = Asking(store, question)
        while not question.running:  # sent or about to be: ClickHouse may not have it yet
            time.sleep(0.0005)
        questions.leave(question)
        asking.join(timeout=SOON_S)

    assert isinstance(asking.outcome, Gone)
    assert running(store) == 0


def test_how_far_a_statement_is(store, poll) -> None:
    """Rows read so far and rows to read, by the ids of its statements; nothing of others."""
    questions = Questions(partial(cancel, store))
    with questions.ask("how-far-1", FEW) as question:
        asking = Asking(store, question)
        found = poll(lambda: (at := progress(store, question.running)).rows_read and at, every_s=0.02)
        named = questions.named("how-far-1")
        questions.leave(question)
        asking.join(timeout=SOON_S)

    assert named == [question]
    assert 0 < found.rows_read < found.rows_total == 9_000_000_000
    assert found.elapsed_s > 0
    assert progress(store, ["fuseboard-nobody"]).rows_read == 0
    assert questions.named("how-far-1") == []


@pytest.mark.parametrize(
    ("limits", "sql", "said"),
    [
        ({"time_s": 0.3}, SLOW, r"more than 0\.3 s \(query_timeout_s\): narrow"),
        (
            {"memory_bytes": 50_000_000},
            "SELECT length(groupArray(number)) AS n FROM numbers(100000000) LIMIT 1",
            r"more than 47\.7 MiB of memory \(query_memory_bytes\): narrow",
        ),
        ({"read_rows": 1000}, SLOW, r"read more than 1,000 rows \(query_read_rows\): narrow"),
        ({"read_bytes": 1000}, SLOW, r"read more than 1,000 bytes \(query_read_bytes\): narrow"),
        ({"result_rows": 10}, "SELECT number FROM numbers(1000) LIMIT 1000", r"more than 10 rows \(query_result_rows\).*lower limit"),
        (
            {"result_bytes": 100_000, "prefix": "sql"},
            "SELECT concat(repeat('x', 1000), toString(number)) AS x FROM numbers(1000) LIMIT 1000",
            r"100,000 bytes \(sql_result_bytes\)",
        ),
    ],
    ids=["time", "memory", "read-rows", "read-bytes", "result-rows", "result-bytes"],
)  # fmt: skip
def test_a_limit_is_named_with_its_value_and_what_to_do(store, limits, sql, said) -> None:
    """Each of ClickHouse's refusals is the setting that caused it."""
    question = Question(limits=replace(QueryLimits(), **limits))

    with pytest.raises(QueryTooExpensive, match=said):
        Reader(store, question=question).rows(sql)


class Timed:
    """The real store, and how long each statement was allowed to take."""

    def __init__(self, store) -> None:
        self._store = store
        self.allowed_s: list[float] = []

    def query(self, sql, params=None, settings=None, query_id=None):
        """Note and pass on."""
        self.allowed_s.append(float(settings["max_execution_time"]))
        return self._store.query(sql, params, settings, query_id)


def test_the_statements_of_a_question_share_its_time(store) -> None:
    """What the first took is not left for the next; a reader without a question starts anew each time."""
    shared, apart = Timed(store), Timed(store)
    of_one, each_for_itself = Reader(shared, question=Question(limits=FEW)), Reader(apart, limits=FEW)

    for reader in (of_one, each_for_itself):
        assert [reader.rows("SELECT sleep(1.1) AS n LIMIT 1") for _ in range(2)] == [[{"n": 0}]] * 2

    first_s, second_s = shared.allowed_s
    assert first_s == FEW.time_s
    assert first_s - second_s >= 1  # whole seconds are passed on
    assert apart.allowed_s == [FEW.time_s] * 2


def test_a_question_whose_time_is_used_up_asks_nothing_more(store) -> None:
    """The statement that used it is ended, the next one is not begun."""
    timed = Timed(store)
    reader = Reader(timed, question=Question(limits=QueryLimits(time_s=0.4)))

    for sql in (SLOW, "SELECT 1 AS n LIMIT 1"):
        with pytest.raises(QueryTooExpensive, match=r"0\.4 s"):
            reader.rows(sql)

    assert len(timed.allowed_s) == 1


def test_more_time_for_a_question_is_not_more_for_a_statement(store) -> None:
    """An export is read as it is made, for as long as somebody reads; each of its statements ends as any other."""
    question = Question(limits=QueryLimits(time_s=1.5))
    question.limits = replace(question.limits, time_s=3600)
    began = time.monotonic()

    with pytest.raises(QueryTooExpensive, match=r"1\.5 s"):
        Reader(store, question=question).rows(SLOW)

    assert time.monotonic() - began < SOON_S
    assert Reader(store, question=question).rows("SELECT 1 AS n LIMIT 1") == [{"n": 1}]


def test_a_statement_ended_by_somebody_else(store, poll) -> None:
    """An administrator's KILL QUERY is not a fault of ours: the asker is told, and may ask again."""
    question = Question(limits=FEW)
    asking = Asking(store, question)
    poll(lambda: running(store) == 1, every_s=0.02)
    cancel(store, question.running)
    asking.join(timeout=SOON_S)

    assert getattr(asking.outcome, "code", None) == "query_cancelled"
    assert getattr(asking.outcome, "retry_after_s", 0) > 0


def test_statements_that_run_at_the_same_time_take_the_time_once() -> None:
    """Parts of one answer that are asked together are not refused before their asker has waited as long as is allowed."""
    question = Question(limits=FEW)
    with ExitStack() as held:
        for _ in range(100):
            held.enter_context(question.statement())
        time.sleep(0.1)

    with question.statement() as (_, settings):
        left_s = float(settings["max_execution_time"])
    assert left_s >= FEW.time_s - question.elapsed_s


def test_an_engine_that_is_away_ends_nothing_and_breaks_nothing(poll) -> None:
    """Leaving does not raise; the thread that would have ended the statement ends with it."""
    asked: list[object] = []

    def away(ids: object) -> None:
        asked.append(ids)
        raise StoreUnavailable("away")

    questions = Questions(away)
    with questions.ask("", FEW) as question, question.statement():
        questions.leave(question)
        poll(lambda: len(asked) >= 2, every_s=0.02)
    poll(lambda: not any(t.name == "query-cancel" for t in threading.enumerate()), every_s=0.02)

    assert not question.running


@pytest.mark.parametrize(
    "name", ["short", "x" * 65, "a b c d e f", "näme-näme", "quote'quote'", "line\nline\n"]
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """The bad value is quoted; it never gets near a statement."""
    with pytest.raises(Malformed, match="write 8 to 64 letters") as refused, Questions().ask(name, FEW):
        pass

    assert refused.value.param == "X-Query-Id"
