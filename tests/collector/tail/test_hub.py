"""The tail on the real engine: every record once, whatever the order of storing, for one price."""

import asyncio
import random
import time

import pytest
from prometheus_client import CollectorRegistry

from collector.errors import NoRoom, QueryError, StoreUnavailable
from collector.metrics import TailMetrics
from collector.tail import Tail, TailLimits, catching_up
from collector.tail import arrivals as arrivals_module
from collector.tail import hub as hub_module
from tests.collector.tail.conftest import Reading, reads, searched, until


class Watchful:
    """The real store, counting statements; away when told to be."""

    def __init__(self, store) -> None:
        self._store = store
        self.statements: list[str] = []
        self.away = False

    def query(self, sql, *rest, **named):
        """Run it."""
        self.statements.append(sql)
        if self.away:
            raise StoreUnavailable("away")
        return self._store.query(sql, *rest, **named)


def tail_of(store, **limits):
    """A quick tail."""
    bounds = {"viewers": 60, "searches": 8, "tick_s": 0.02, "alive_s": 0.2} | limits
    return Tail(store, TailLimits(**bounds), TailMetrics(CollectorRegistry()))


def test_a_viewer_sees_what_is_stored_from_now_on(tail, source):
    """Older records are not told, new ones are, with every field of /logs."""
    source("before")
    reading = asyncio.run(reads(tail, "", lambda r: r.bodies, then=lambda: source("after", "later")))

    assert reading.bodies == ["after", "later"]
    assert reading.blocks[0] == "retry: 2000"


def test_only_what_the_search_wants(tail, source):
    """A viewer's own search decides; env narrows it too."""
    reading = asyncio.run(
        reads(
            tail,
            "code:>=500 -slow",
            lambda r: r.bodies,
            then=lambda: (
                source("slow", attributes={"code": "503"}),
                source("no", attributes={"code": "200"}),
                source("yes", attributes={"code": "500"}),
            ),
        )
    )

    assert reading.bodies == ["yes"]


def test_late_and_disordered_segments_are_each_told_once(tail, source):
    """Received hours ago, stored out of order, several batches: whatever becomes visible is told once."""

    def store_all():
        source("now 1")
        source("hours late", received_s=-7200, stored_s=0)
        source("behind", stored_s=-60)
        source("two 1", "two 2", "two 3", batches=2)
        source("ahead", stored_s=5)
        source("last")

    reading = asyncio.run(reads(tail, "", lambda r: "last" in r.bodies, then=store_all))

    assert sorted(reading.bodies) == sorted(
        ["now 1", "hours late", "behind", "two 1", "two 2", "two 3", "ahead", "last"]
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_viewer_that_breaks_off_anywhere_resumes_without_gap_or_repeat(tail, source, seed):
    """Cut after any event, by the id of the last one seen, while segments arrive in any order and others watch."""
    chance = random.Random(seed)
    expected = [f"{segment}.{line}" for segment in range(12) for line in range(3)]
    seen: list[str] = []

    async def run():
        other = await tail.watch(searched("nothing-of-this"), "")
        cursor = (await reads(tail, "", lambda r: r.last_id)).last_id
        storing = asyncio.create_task(asyncio.to_thread(store_all))
        deadline = time.monotonic() + 120
        while len(seen) < len(expected) and time.monotonic() < deadline:
            reading = await reads(
                tail, "", lambda r, known=cursor: bool(r.bodies) or r.last_id != known, cursor
            )
            cut = chance.randint(0, len(reading.blocks) - 1)
            kept = reading.blocks[: cut + 1]
            ids = [line[4:] for block in kept for line in block.split("\n") if line.startswith("id: ")]
            reading.blocks = kept
            seen.extend(reading.bodies)
            cursor = ids[-1] if ids else cursor
        await storing
        other.leave()

    def store_all():
        for segment in range(12):
            lines = [f"{segment}.{line}" for line in range(3)]
            source(*lines, stored_s=chance.uniform(-10, 0), received_s=chance.uniform(-3000, 0))

    asyncio.run(run())

    assert sorted(seen) == sorted(expected)


def test_a_viewer_resumes_at_a_collector_that_knows_nothing_of_it(store, tail, source):
    """A restart, or another collector behind the balancer: the id is enough."""
    first = asyncio.run(reads(tail, "", lambda r: r.bodies, then=lambda: source("one", "two", "three")))
    behind_one = next(
        line[4:]
        for line in next(b for b in first.blocks if '"one"' in b).split("\n")
        if line.startswith("id: ")
    )
    source("meanwhile")

    resumed = asyncio.run(reads(tail_of(store), "", lambda r: "meanwhile" in r.bodies, behind_one))

    assert resumed.bodies == ["two", "three", "meanwhile"]


@pytest.mark.parametrize("limit", [100, 5])
def test_catching_up_over_many_segments(tail, source, monkeypatch, limit):
    """More segments than one question gives are asked for in turn; records beyond the bound are counted, ids stay short."""
    monkeypatch.setattr(hub_module, "MOST", 3)
    monkeypatch.setattr(catching_up, "MOST", 3)
    monkeypatch.setattr(arrivals_module, "MOST", 3)
    monkeypatch.setattr(catching_up, "_RECORDS", limit)
    since_ns = time.time_ns() - 700 * 10**9
    for number in range(10):
        source(f"m{number}", stored_s=-600 + 40 * number)

    async def run():
        watched = await tail.watch(searched("m*"), "", since_ns=since_ns)
        reading = Reading()
        async for sent in watched:
            reading.take(sent)
            if len(reading.bodies) + sum(told["records"] for told in reading.events("skipped")) >= 10:
                break
        watched.leave()
        return reading

    reading = asyncio.run(run())

    assert reading.bodies == [f"m{number}" for number in range(min(limit, 10))]
    assert sum(told["records"] for told in reading.events("skipped")) == max(0, 10 - limit)
    assert all(len(block.split("\n")[0]) < 60 for block in reading.blocks)


def test_too_far_behind_is_refused_with_advice(tail, source, monkeypatch):
    """No silent gap: who comes back after too much was stored is told to begin anew."""
    monkeypatch.setattr(hub_module, "MOST", 1)
    monkeypatch.setattr(catching_up, "MOST", 1)
    monkeypatch.setattr(arrivals_module, "MOST", 1)
    monkeypatch.setattr(catching_up, "_LOOKS", 2)
    for number in range(4):
        source(f"m{number}", stored_s=-60 + number)

    with pytest.raises(QueryError, match="search for the rest"):
        asyncio.run(tail.watch(searched(""), "", since_ns=time.time_ns() - 100 * 10**9))


def test_fifty_viewers_cost_what_one_does(store, source):
    """Statements per stored segment do not depend on how many watch one search."""

    async def cost(viewers: int) -> int:
        counted = Watchful(store)
        tail = tail_of(counted)
        watching = [
            asyncio.create_task(reads(tail, "x", lambda r: len(r.bodies) >= 2)) for _ in range(viewers)
        ]
        await until(lambda: sum(len(group.viewers) for group in tail._groups.values()) == viewers)
        source("x 1", "x 2")
        readings = await asyncio.gather(*watching)
        assert all(reading.bodies == ["x 1", "x 2"] for reading in readings)
        return sum("arrayFilter" in sql for sql in counted.statements)

    assert asyncio.run(cost(1)) == asyncio.run(cost(50)) == 1


def test_different_searches_share_one_statement(store, source):
    """Each viewer gets its own; what one wants does not show to another."""
    counted = Watchful(store)
    tail = tail_of(counted)

    async def run():
        words = ["red", "green", "blue"]
        watching = [asyncio.create_task(reads(tail, word, lambda r: r.bodies)) for word in words]
        await until(lambda: len(tail._groups) == len(words))
        source("red", "green", "blue", "red green")
        return [reading.bodies for reading in await asyncio.gather(*watching)]

    assert asyncio.run(run()) == [["red", "red green"], ["green", "red green"], ["blue"]]
    assert sum("arrayFilter" in sql for sql in counted.statements) == 1


def test_too_many_records_at_once_are_counted(tail, source, monkeypatch):
    """Beyond the tick's bound the first are told, and how many are not."""
    monkeypatch.setattr(hub_module, "_TICK_RECORDS", 60)
    reading = asyncio.run(
        reads(tail, "", lambda r: r.events("skipped"), then=lambda: source(*[str(n) for n in range(200)]))
    )

    assert reading.bodies == [str(n) for n in range(60)]
    assert reading.events("skipped") == [{"records": 140}]


def test_a_search_for_everything_leaves_room_for_others(tail, source, monkeypatch):
    """A rare search sees its record though another one wants everything."""
    monkeypatch.setattr(hub_module, "_TICK_RECORDS", 100)

    async def run():
        everything = asyncio.create_task(reads(tail, "", lambda r: r.events("skipped")))
        rare = asyncio.create_task(reads(tail, "needle", lambda r: r.bodies))
        await until(lambda: len(tail._groups) == 2)
        source(*[f"hay {n}" for n in range(300)], "needle")
        return (await everything).events("skipped"), (await rare).bodies

    assert asyncio.run(run()) == ([{"records": 251}], ["needle"])


def test_viewers_and_searches_are_bounded(store, fill):
    """One too many is refused with the number, and comes in when another has left."""
    del fill
    tail = tail_of(store, viewers=2, searches=1)

    async def run():
        first = await tail.watch(searched("a"), "")
        with pytest.raises(NoRoom, match="1 different searches"):
            await tail.watch(searched("b"), "")
        second = await tail.watch(searched("a"), "")
        with pytest.raises(NoRoom, match="2 viewers"):
            await tail.watch(searched("a"), "")
        second.leave()
        second.leave()
        third = await tail.watch(searched("a"), "")
        for watched in (first, third):
            watched.leave()
        assert tail._ticking is None

    asyncio.run(run())


def test_a_bad_search_is_refused_before_it_stands_beside_others(tail, source):
    """What only the engine can refuse, a regular expression, is refused at once; others go on."""

    async def run():
        good = asyncio.create_task(reads(tail, "x", lambda r: r.bodies))
        await until(lambda: tail._groups)
        with pytest.raises(QueryError) as refused:
            await tail.watch(searched("/(/"), "")
        with pytest.raises(QueryError) as garbage:
            await tail.watch(searched("x"), "", "garbage")
        source("x")
        return refused.value.code, garbage.value.code, (await good).bodies

    assert asyncio.run(run()) == ("bad_regex", "bad_cursor", ["x"])


def test_while_the_engine_is_away_nothing_is_lost(store, source):
    """Viewers are told once that it is away, and get what was stored meanwhile when it is back."""
    watchful = Watchful(store)
    tail = tail_of(watchful)

    async def run():
        reading = asyncio.create_task(reads(tail, "", lambda r: r.bodies))
        await until(lambda: tail._groups)
        watchful.away = True
        source("meanwhile")
        asked = len(watchful.statements)
        await until(lambda: len(watchful.statements) >= asked + 3)
        watchful.away = False
        return await reading

    reading = asyncio.run(run())

    assert reading.bodies == ["meanwhile"]
    assert [told["code"] for told in reading.events("waiting")] == ["engine_unavailable"]


def test_closing_ends_every_stream(tail, fill):
    """A collector that stops does not wait for viewers, and takes no more."""
    del fill

    async def run():
        watched = await tail.watch(searched("a"), "")
        tail.close()
        assert [sent async for sent in watched][1:] == []
        with pytest.raises(NoRoom):
            await tail.watch(searched("a"), "")

    asyncio.run(run())


@pytest.fixture
def unmerged(store):
    """Each segment stays a part of its own."""
    store.command("SYSTEM STOP MERGES logs")
    yield
    store.command("SYSTEM START MERGES logs")


@pytest.mark.usefixtures("unmerged")
def test_the_ticks_statement_reads_through_the_index_of_received_times(store, source):
    """Whatever is stored, only granules received with the new segments are read."""
    watchful = Watchful(store)
    for hours in (1, 2, 3):
        source(*(["old"] * 50), received_s=-3600 * hours, stored_s=-3600 * hours)
    asked: list[tuple[str, object]] = []
    query = watchful.query
    watchful.query = lambda sql, params=None, *rest, **named: (
        asked.append((sql, params)),
        query(sql, params, *rest, **named),
    )[1]
    asyncio.run(reads(tail_of(watchful), "", lambda r: r.bodies, then=lambda: source("new")))

    sql, params = next((sql, params) for sql, params in asked if "arrayFilter" in sql)
    plan = "\n".join(row["explain"] for row in store.query(f"EXPLAIN indexes = 1 {sql}", params).rows)
    after = plan[plan.index("observed_range") :]
    assert "Parts: 1/4" in after
