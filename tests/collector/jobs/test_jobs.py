"""Watermark jobs on the real engine and a real state: each window once, whatever is killed in between."""

from __future__ import annotations

import contextlib
import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from collector.errors import StoreUnavailable
from collector.jobs.calls import CALLS
from collector.jobs.progress import Progress
from collector.jobs.runner import Jobs, run_statement
from collector.metrics import JobMetrics
from collector.query.window import SECOND_NS, sql_time
from collector.state import State
from collector.store.client import Store
from tests.collector.read.real_store import NOW_NS, Filler, span, store

__all__ = ["store"]

_TABLES = ("endpoint_callers", "peer_names", "paired_minutes", "spans")
_NUMBERS = itertools.count()


class Bench:
    """A database of one test's own time, a state, and jobs with a clock that stands where it is told."""

    def __init__(self, store: Store, state: State) -> None:
        self.store, self.state = store, state
        # every test has a day of its own: windows that were run once are remembered by the engine
        self.base_ns = (NOW_NS // (60 * SECOND_NS) - next(_NUMBERS) * 1440) * 60 * SECOND_NS
        self.now_ns = self.base_ns
        self.unloaded_ns: int | None = None
        self.registry = CollectorRegistry()
        self.fill = Filler(store)

    def jobs(self, holder: str = "one", registry: CollectorRegistry | None = None) -> Jobs:
        """As after a start of the collector."""
        metrics = JobMetrics(registry or CollectorRegistry())
        return Jobs(
            (CALLS,),
            self.store,
            Progress(self.state, holder),
            lambda _: self.unloaded_ns,
            metrics,
            lambda: self.now_ns,
        )

    def run(self, jobs: Jobs, until_s: float) -> int:
        """Run what is due when it is *until_s* seconds after the base; returns the number of windows."""
        self.now_ns = self.base_ns + int(until_s * SECOND_NS)
        return jobs.turn(CALLS)

    def call(
        self,
        at_s: float,
        caller: str,
        callee: str,
        number: int,
        observed_s: float | None = None,
        **fields: Any,
    ) -> None:
        """Store the client's and the server's span of one call; *fields* are the client's."""
        observed = sql_time(self.base_ns + int((at_s if observed_s is None else observed_s) * SECOND_NS))
        trace = f"{number:032x}"
        near = {"observed_at": observed, "trace_id": trace}
        at = (self.base_ns - NOW_NS) / SECOND_NS + at_s
        client = span(at, caller, f"GET {callee}", kind="client", span_id=f"{number:016x}",
                      **{"attributes": {"server.address": f"{callee}.svc"}, "resource": {"service.version": "3"}, **near, **fields})  # fmt: skip
        server = span(at + 0.001, callee, "GET /v1/pay", parent_span_id=f"{number:016x}", span_id=f"{number + 10**6:016x}",
                      attributes={"http.request.method": "GET", "http.route": "/v1/pay"}, resource={"service.version": "1.4"}, **near)  # fmt: skip
        self.fill("spans", [row for row in (client, server) if row["service"]])

    def rows(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """What a table has, summed."""
        sql = (
            f"SELECT {columns}, sum(calls) AS n FROM {table} GROUP BY {columns} ORDER BY {columns} LIMIT 1000"
        )
        return [tuple(row.values()) for row in self.store.query(sql).rows]

    def callers(self) -> list[tuple[Any, ...]]:
        """Who called which endpoint how often."""
        return self.rows("endpoint_callers", "service, route, version, caller, caller_version")


@pytest.fixture
def bench(store, tmp_path):
    state = State(f"sqlite:///{tmp_path / 'state.db'}")
    made = Bench(store, state)
    yield made
    for table in (
        *_TABLES,
        "trace_index",
        "service_minutes",
        "edge_minutes",
        "endpoint_usage",
        "database_usage",
        "deploys",
        "batch_rows",
    ):
        store.command(f"TRUNCATE TABLE {table}")
    state.close()


def test_a_call_is_paired_once_its_window_is_over(bench):
    """Caller and version, endpoint and version; and the host name is known as the service behind it."""
    bench.call(5, "checkout", "payment", 1)
    bench.call(65, "checkout", "payment", 2)
    jobs = bench.jobs()

    assert bench.run(jobs, 100) > 0
    assert bench.callers() == []
    assert bench.run(jobs, 125) == 1
    assert bench.callers() == [("payment", "/v1/pay", "1.4", "checkout", "3", 1)]
    assert bench.run(jobs, 185) == 1
    assert bench.callers() == [("payment", "/v1/pay", "1.4", "checkout", "3", 2)]
    assert bench.rows("peer_names", "caller, peer, callee") == [("checkout", "payment.svc", "payment", 2)]
    assert bench.rows("paired_minutes", "caller, callee") == []


def test_a_caller_that_does_not_say_whom_it_calls_is_an_edge(bench):
    """Without peer.service or server.address only the pair knows the callee."""
    bench.call(5, "checkout", "payment", 1, attributes={})

    bench.run(bench.jobs(), 125)

    assert bench.rows("paired_minutes", "caller, callee, protocol, route") == [
        ("checkout", "payment", "http", "GET payment", 1)
    ]
    assert bench.rows("peer_names", "caller, peer, callee") == []


def repeated(bench, at_s, number, statuses, callee="payment"):
    """Store further spans of *callee* under the client's span of call *number*: what was sent again below it."""
    near = {
        "observed_at": sql_time(bench.base_ns + int(at_s * SECOND_NS)),
        "trace_id": f"{number:032x}",
        "parent_span_id": f"{number:016x}",
    }
    at = (bench.base_ns - NOW_NS) / SECOND_NS + at_s
    bench.fill("spans", [
        span(at, callee, "GET /v1/pay", span_id=f"{number * 100 + nth + 10**9:016x}", status=status,
             attributes={"http.request.method": "GET", "http.route": "/v1/pay"}, **near)
        for nth, status in enumerate(statuses)
    ])  # fmt: skip


def test_calls_sent_again_below_one_client_span_are_all_counted(bench):
    """Retries and hedges that a library makes under one span: each was received; their caller waited once."""
    bench.call(5, "checkout", "payment", 1, attributes={}, duration_ns=90_000_000)
    repeated(bench, 5, 1, ["error", "unset"])
    bench.call(6, "checkout", "payment", 2)
    repeated(bench, 6, 2, ["unset"])

    bench.run(bench.jobs(), 125)

    assert bench.rows("paired_minutes", "caller, callee") == [("checkout", "payment", 3)]
    assert bench.rows("peer_names", "caller, peer, callee") == [("checkout", "payment.svc", "payment", 2)]
    sums = "SELECT sum(errors) AS failed, sum(duration_ns_sum) AS waited_ns FROM paired_minutes LIMIT 1"
    assert bench.store.query(sums).rows == [{"failed": 1, "waited_ns": 90_000_000}]


def test_calls_sent_again_count_as_failed_where_their_client_gave_up(bench):
    """Whatever the callee says of each: none of them brought an answer."""
    bench.call(5, "checkout", "payment", 1, attributes={}, status="error")
    repeated(bench, 5, 1, ["unset"])

    bench.run(bench.jobs(), 125)

    sums = "SELECT sum(calls) AS calls, sum(errors) AS failed FROM paired_minutes LIMIT 1"
    assert bench.store.query(sums).rows == [{"calls": 2, "failed": 2}]


def test_a_hedge_to_another_service_is_an_edge_of_its_own(bench):
    """Under one client span two services answered: both are called."""
    bench.call(5, "checkout", "payment", 1, attributes={})
    repeated(bench, 5, 1, ["unset"], callee="payment-standby")

    bench.run(bench.jobs(), 125)

    assert bench.rows("paired_minutes", "caller, callee") == [
        ("checkout", "payment", 1),
        ("checkout", "payment-standby", 1),
    ]


def test_a_call_without_a_callers_span_is_counted_without_a_caller(bench):
    """Somebody called; nobody knows who: that is evidence too."""
    bench.call(5, "", "payment", 1)

    bench.run(bench.jobs(), 125)

    assert bench.callers() == [("payment", "/v1/pay", "1.4", "", "", 1)]


def test_a_window_waits_for_what_is_not_loaded_yet(bench):
    """A backlog of spans is not a window without calls."""
    bench.unloaded_ns = bench.base_ns + 10 * SECOND_NS
    jobs = bench.jobs()
    bench.run(jobs, 300)
    bench.call(5, "checkout", "payment", 1)
    bench.unloaded_ns = None

    bench.run(jobs, 305)

    assert bench.callers() == [("payment", "/v1/pay", "1.4", "checkout", "3", 1)]


class DyingStore:
    """ClickHouse behind a collector that is killed after *statements* more of them."""

    def __init__(self, store: Store, statements: int) -> None:
        self._store, self._left = store, statements

    def load(self, *asked: Any) -> None:
        if self._left == 0:
            raise StoreUnavailable("killed")
        self._left -= 1
        self._store.load(*asked)


@pytest.mark.parametrize("done", range(4))
def test_a_collector_killed_in_a_window_runs_it_again_and_adds_nothing(bench, done):
    """After any of the statements, and after the last but before that is noted."""
    bench.run(bench.jobs(), 65)
    for number in range(20):
        bench.call(
            number, "checkout", "payment", number, attributes={} if number % 2 else {"server.address": "p"}
        )
    bench.now_ns = bench.base_ns + 125 * SECOND_NS
    planned = Progress(bench.state, "one").plan(
        CALLS.key, 0, bench.base_ns + 60 * SECOND_NS, datetime.now(UTC)
    )
    killed = DyingStore(bench.store, done)
    with contextlib.suppress(StoreUnavailable):
        for statement in CALLS.statements:
            run_statement(killed, CALLS, statement, *planned)
    bench.now_ns += 600 * SECOND_NS

    bench.run(bench.jobs(), 725)

    assert bench.callers() == [("payment", "/v1/pay", "1.4", "checkout", "3", 20)]
    assert bench.rows("peer_names", "caller, peer, callee") == [("checkout", "p", "payment", 10)]
    assert bench.rows("paired_minutes", "caller, callee") == [("checkout", "payment", 10)]


def test_one_of_several_collectors_runs_them(bench):
    """Two that share a state do not run the same window, nor leave one out when one ends."""
    first, second = bench.jobs("one"), bench.jobs("two")
    bench.run(first, 65)
    bench.call(5, "checkout", "payment", 1)

    assert bench.run(second, 125) == 0
    assert bench.run(first, 125) == 1
    bench.call(65, "checkout", "payment", 2)
    assert bench.run(second, 400) > 0

    assert bench.callers() == [("payment", "/v1/pay", "1.4", "checkout", "3", 2)]


def test_a_long_outage_is_caught_up_in_few_windows(bench):
    """Two hours behind is a dozen windows, and all calls of them are there."""
    jobs = bench.jobs()
    bench.run(jobs, 65)
    for number in range(24):
        bench.call(number * 300 + 5, "checkout", "payment", number)

    assert bench.run(bench.jobs(), 7265) <= 13
    assert bench.callers() == [("payment", "/v1/pay", "1.4", "checkout", "3", 24)]


def test_beyond_a_day_the_past_is_given_up(bench, capsys):
    """A job that was off for a week begins with the last hour, and says so."""
    bench.run(bench.jobs(), 65)

    windows = bench.run(bench.jobs(), 7 * 86_400)

    assert windows <= 7
    assert "job_skipped" in capsys.readouterr().out


def test_how_far_a_job_is_can_be_seen(bench):
    """The lag is a metric: a job that stands still is noticed."""
    registry = CollectorRegistry()
    jobs = bench.jobs(registry=registry)
    bench.run(jobs, 185)

    bench.run(jobs, 200)

    assert registry.get_sample_value("fuseboard_job_lag_seconds", {"job": "calls"}) == 80
    assert registry.get_sample_value("fuseboard_job_windows_total", {"job": "calls"}) > 0
