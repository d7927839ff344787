"""When samples of breakers are looked at: as soon as they are loaded, by one collector, and each change once, whatever is killed in between."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from collector.errors import StoreUnavailable
from collector.jobs.breaker_states import BREAKER_STATES
from collector.jobs.progress import Progress
from collector.jobs.runner import Jobs
from collector.metrics import JobMetrics
from collector.query.window import SECOND_NS, sql_time
from collector.state import State
from collector.store.client import Store
from tests.collector.read.real_store import NOW_NS, Filler, store

__all__ = ["store"]

_NUMBERS = itertools.count(1)
_STATES = {"closed": 0, "half_open": 1, "open": 2}
_TABLES = ("metric_series", "metric_samples", "breaker_transitions", "breaker_instances", "breaker_hours")


class Bench:
    """A time of one test's own, a state, and jobs with a clock that stands where it is told."""

    def __init__(self, store: Store, state: State) -> None:
        self.store, self.state = store, state
        # every test has a day of its own: windows that were run once are remembered by the engine
        self.base_ns = (NOW_NS // (60 * SECOND_NS) - next(_NUMBERS) * 1440) * 60 * SECOND_NS
        self.now_ns = self.base_ns
        self.loads = 0
        self.unloaded_ns: int | None = None
        self.fill = Filler(store)

    def jobs(self, holder: str = "one", store: Any = None) -> Jobs:
        """As after a start of the collector."""
        return Jobs(
            (BREAKER_STATES,),
            store or self.store,
            Progress(self.state, holder),
            lambda _: self.unloaded_ns,
            JobMetrics(CollectorRegistry()),
            lambda: self.now_ns,
            lambda _: self.loads,
        )

    def run(self, jobs: Jobs, until_s: float) -> int:
        """Run what is due when it is *until_s* seconds after the base; returns the number of windows."""
        self.now_ns = self.base_ns + int(until_s * SECOND_NS)
        return jobs.turn(BREAKER_STATES)

    def load(self, at_s: float, state: str, series: int = 7, kept_days: int = 3000) -> None:
        """Store the sample of a scrape at *at_s*; each series is a breaker's."""
        at = sql_time(self.base_ns + int(at_s * SECOND_NS))
        row = {
            "series_id": series, "name": "gobreaker_state", "type": "gauge", "service": "checkout", "env": "demo",
            "labels": {"name": "pay" if series == 7 else f"pay {series}"},
            "first_seen": at, "last_seen": at,
        }  # fmt: skip
        self.fill("metric_series", [row])
        sample = {"series_id": series, "at": at, "value": _STATES[state], "retention_days": kept_days}
        self.fill("metric_samples", [sample])
        self.loads += 1

    def told(self) -> list[str]:
        """States, by time."""
        rows = self.store.query("SELECT to_state FROM breaker_transitions ORDER BY at LIMIT 100").rows
        return [row["to_state"] for row in rows]


@pytest.fixture
def bench(store, tmp_path):
    state = State(f"sqlite:///{tmp_path / 'state.db'}")
    yield Bench(store, state)
    for table in _TABLES:
        store.command(f"TRUNCATE TABLE {table}")
    state.close()


def test_a_change_is_told_as_soon_as_its_sample_is_loaded(bench):
    """Not at the end of a window, and not three quarters of a minute later."""
    bench.load(-1, "closed")
    jobs = bench.jobs()
    bench.run(jobs, 0)
    before = bench.told()
    bench.load(4, "open")

    windows = bench.run(jobs, 5)

    assert (before, windows, bench.told()) == (["closed"], 1, ["closed", "open"])


def test_without_new_samples_it_looks_every_quarter_of_a_minute(bench):
    """Other collectors load, too, and half a look waits for its rest; an idle system is not asked every five seconds."""
    bench.load(-1, "closed")
    jobs = bench.jobs()
    bench.run(jobs, 0)

    windows = [bench.run(jobs, until_s) for until_s in (5, 10, 15, 20, 29, 31)]

    assert windows == [0, 0, 1, 0, 0, 1]


def test_what_still_gathers_holds_nothing_up_and_is_seen_when_it_is_loaded(bench):
    """One way in has its samples loaded; another's of the same time wait for a reader."""
    bench.load(-1, "closed")
    bench.load(29, "closed")
    jobs = bench.jobs()
    bench.unloaded_ns = bench.base_ns + 15 * SECOND_NS
    bench.run(jobs, 30)
    bench.run(jobs, 60)
    before = bench.told()

    bench.load(15, "open")
    bench.unloaded_ns = None
    bench.run(jobs, 76)

    assert (before, bench.told()) == (["closed"], ["closed", "open", "closed"])


def test_a_backlog_is_waited_for(bench):
    """The engine was away for ten minutes: what the journal holds is looked at when it is loaded."""
    bench.load(-1, "closed")
    jobs = bench.jobs()
    bench.run(jobs, 0)
    bench.unloaded_ns = bench.base_ns + 15 * SECOND_NS
    for until_s in range(60, 660, 60):
        bench.run(jobs, until_s)

    bench.load(15, "open")
    bench.load(45, "closed")
    bench.unloaded_ns = None
    bench.run(jobs, 661)

    assert bench.told() == ["closed", "open", "closed"]


class Loading:
    """ClickHouse while much is loaded: of each statement something new is there before it has ended; after twenty of them no more comes."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._left = bench, 20

    def query(self, *asked: Any) -> Any:
        self._more()
        return self._bench.store.query(*asked)

    def load(self, *asked: Any) -> None:
        self._more()
        self._bench.store.load(*asked)

    def _more(self) -> None:
        self._bench.now_ns += SECOND_NS
        if self._left:
            self._left -= 1
            self._bench.loads += 1


def test_what_is_loaded_during_a_look_is_the_next_turns(bench):
    """Where segments are loaded all the time one job must not take every turn."""
    bench.load(-1, "closed")
    bench.run(bench.jobs(), 0)
    jobs = bench.jobs(store=Loading(bench))

    assert [bench.run(jobs, until_s) for until_s in (5, 10, 15)] == [1, 1, 1]


class Dying:
    """ClickHouse behind a collector that is killed before (or after) its INSERT."""

    def __init__(self, store: Store, *, after: bool) -> None:
        self._store, self._after = store, after

    def query(self, *asked: Any) -> Any:
        return self._store.query(*asked)

    def load(self, *asked: Any) -> None:
        if self._after:
            self._store.load(*asked)
        raise StoreUnavailable("killed")


@pytest.mark.parametrize("after", [False, True], ids=["before its INSERT", "before it was noted"])
def test_a_killed_collector_tells_each_change_once(bench, after):
    """The same window comes again, and with it the same rows, though a sample came late in between; that one is told by the next."""
    bench.load(-1, "closed")
    bench.run(bench.jobs(), 0)
    bench.load(4, "open")
    with pytest.raises(StoreUnavailable):
        bench.run(bench.jobs(store=Dying(bench.store, after=after)), 5)
    bench.load(2, "half_open")

    jobs = bench.jobs()
    bench.run(jobs, 20)
    bench.run(jobs, 40)

    assert bench.told() == ["closed", "half_open", "open"]
    rows = bench.store.query("SELECT sum(opens) + sum(half_opens) + sum(reopens) AS n FROM breaker_hours LIMIT 1").rows  # fmt: skip
    assert int(rows[0]["n"]) == 2


def test_of_several_collectors_one_tells(bench):
    """Two that share a state; what the one was at when it went, the other finishes."""
    first, second = bench.jobs("one"), bench.jobs("two")
    bench.load(-1, "closed")
    bench.run(first, 0)
    bench.load(4, "open")

    assert bench.run(second, 5) == 0
    assert bench.run(first, 5) == 1
    bench.load(200, "closed")
    assert bench.run(second, 201) > 0
    assert bench.told() == ["closed", "open", "closed"]


def test_what_an_earlier_build_told_is_not_told_again(bench):
    """A job of another version begins an hour back."""
    bench.load(-1, "closed")
    bench.load(14, "open")
    at = sql_time(bench.base_ns + 14 * SECOND_NS)
    bench.fill("breaker_transitions", [{
        "at": at, "service": "checkout", "env": "demo", "breaker": "pay", "target": "", "instance": "", "from_state": "closed", "to_state": "open",
        "reason": "", "derived": True, "interval_ms": 15_000, "trace_id": "", "span_id": "", "observed_at": at, "batch_id": "job:breaker_states",
        "source": "metric", "retention_days": 3000,
    }])  # fmt: skip

    bench.run(bench.jobs(), 15)

    assert bench.told() == ["closed", "open"]


def opened_and_killed(bench: Bench) -> None:
    """Tell that two breakers opened, whose rows are kept for times of their own and are parts of their own; die before that was noted."""
    bench.load(-1, "closed")
    bench.run(bench.jobs(), 0)
    bench.load(4, "open")
    bench.load(4, "open", 8, 2000)
    with pytest.raises(StoreUnavailable):
        bench.run(bench.jobs(store=Dying(bench.store, after=True)), 600)


def test_rows_of_several_retentions_are_told_once(bench):
    """They are read back from several parts: in more blocks than they were told in, and the engine would take them for new ones."""
    opened_and_killed(bench)

    bench.run(bench.jobs(), 600)

    assert bench.told() == ["closed", "open", "open"]
    rows = bench.store.query("SELECT sum(opens) AS n FROM breaker_hours LIMIT 1").rows
    assert int(rows[0]["n"]) == 2


@pytest.mark.parametrize("retention", [2000, 3000])
def test_a_part_that_a_killed_engine_did_not_write_is_written_by_the_same_window(bench, retention):
    """One retention's rows were there, the other's not: the windows after it would not look so far back."""
    opened_and_killed(bench)
    month = sql_time(bench.base_ns)[:7].replace("-", "")
    bench.store.command(f"ALTER TABLE breaker_transitions DROP PARTITION ({month}, {retention})")

    bench.run(bench.jobs(), 600)

    assert bench.told().count("open") == 2
