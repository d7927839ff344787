"""The present states as they are kept, against the same question asked of the tables; and what keeping them asks."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from collector.query.window import SECOND_NS, Window
from collector.read.breakers import states
from collector.read.held import AHEAD_NS
from collector.read.present import Present
from collector.read.sql import Reader
from tests.collector.read.real_store import NOW_NS, Counting, log, transition

S = SECOND_NS
STATES = ("closed", "open", "half_open")


class Clock:
    """A clock moved by hand."""

    def __init__(self):
        self.now_ns = NOW_NS

    def __call__(self):
        """Give the time."""
        return self.now_ns


def by_sql(store, now_ns):
    """What the tables say."""
    return [shape(state) for state in states(Reader(store), Window(now_ns, now_ns + AHEAD_NS, now_ns))]


def shape(state):
    """What of a breaker must be the same."""
    plain = {"observed_ns": 0, "source": ""}
    # what an instance's state rests on is known with all of its columns within the hour only
    lasts = [
        (
            it.state,
            it.last.holder,
            it.last.at_ns,
            it.last.to_state,
            it.last.reason,
            it.last.target,
            it.last.derived,
        )
        for it in state.instances
    ]
    hour = [replace(each, **plain) for each in state.hour]
    numbers = (state.opens_1h, state.flapping, state.stuck, state.not_permitted_1h, state.since_ns)
    return state.service, state.env, state.breaker, state.state, lasts, sorted(map(repr, hour)), numbers


@pytest.fixture
def kept(store, fill):
    """A clock, the kept states over the real store, and the store that counts."""
    del fill
    clock, counting = Clock(), Counting(store)
    return clock, Present(counting, clock, heard_every_ns=0), counting


# Around the hour, the day and the month, as they are now and some minutes ago; just now; a little ahead of our clock.
_TIMES = st.one_of(
    st.integers(-400, 120),
    st.integers(-4300, -3400),
    st.integers(-87_000, -86_000),
    st.integers(-30 * 86_400 - 400, -30 * 86_400 + 60),
)
_ROWS = st.builds(
    lambda at, service, breaker, instance, change, derived, source: transition(
        at, f"s{service}", f"b{breaker}", change, instance=str(instance),
        derived=derived, source="metric" if derived else source, interval_ms=15_000 if derived else 0,
        reason=f"{change} {derived}", not_permitted=2 if derived else None,
    ),
    _TIMES, st.integers(0, 1), st.integers(0, 1), st.integers(0, 1),
    st.builds(lambda a, b: f"{a}>{b}", st.sampled_from(("", *STATES)), st.sampled_from(STATES)), st.booleans(), st.sampled_from(["log", "post"]),
)  # fmt: skip
_STEPS = st.lists(
    st.one_of(st.lists(_ROWS, min_size=1, max_size=5), st.sampled_from([1, 7, 59, 61, 400, 3500])),
    min_size=1,
    max_size=6,
)


def possible(told, row):
    """Whether an instance does not tell two different changes of one nanosecond: which of these was the last nobody knows."""
    moment = (row["service"], row["breaker"], row["instance"], row["at"], row["derived"])
    return told.setdefault(moment, row["reason"]) == row["reason"]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=_STEPS, ago_s=st.one_of(st.sampled_from([10, 60, 61, 299, 300]), st.integers(10, 300)))
def test_what_is_kept_is_what_the_tables_say(store, fill, steps, ago_s):
    """Whatever arrives, late, ahead, derived, told twice, and however time passes: both ways give the same states, of now and of some minutes ago."""
    fill.empty()  # an example that failed leaves its rows to the next
    clock = Clock()
    kept = Present(store, clock, heard_every_ns=0)
    told = {}
    for step in steps:
        if isinstance(step, int):
            clock.now_ns += step * S
        else:
            fill("breaker_transitions", [row for row in step if possible(told, row)])

        assert [shape(state) for state in kept.states()] == by_sql(store, clock.now_ns)

        then = Window(0, clock.now_ns - ago_s * S, clock.now_ns)
        stood = [shape(state) for state in states(Reader(store, present=kept), then)]
        assert stood == [shape(state) for state in states(Reader(store), then)]
    fill.empty()


def test_who_was_quiet_some_minutes_ago_is_unknown_then(kept, fill):
    """Who speaks again now was silent then, and who is silent now had spoken then."""
    clock, present, counting = kept
    back, gone = ("back", "gone")
    fill("breaker_transitions", [transition(-800, name, "payment", "closed>open") for name in (back, gone)])
    fill("logs", [log(-750, "last word", service=back), log(-420, "last word", service=gone)])
    fill("logs", [log(-20, "here", service=back)])
    window = Window(NOW_NS - 3600 * S, NOW_NS - 200 * S, clock.now_ns)

    def told(found):
        return {state.service: state.state for state in found}

    assert told(present.states()) == {back: "open", gone: "unknown"}
    assert told(states(Reader(counting, present=present), window)) == {back: "unknown", gone: "open"}
    assert told(states(Reader(counting), window)) == {back: "unknown", gone: "open"}


def test_what_did_not_change_since_is_written_once(kept, fill):
    """A breaker that stands now as it did minutes ago is the same object, and of its row nothing is written again."""
    clock, present, counting = kept
    fill("breaker_transitions", [transition(-900, "checkout", name, "closed>open") for name in ("a", "b")])
    fill("breaker_transitions", [transition(-30, "checkout", "b", "open>closed")])
    fill("logs", [log(-10, "here"), log(-100, "here")])
    now = {state.breaker: state for state in present.states()}
    window = Window(NOW_NS - 3600 * S, NOW_NS - 60 * S, clock.now_ns)

    then = {state.breaker: state for state in states(Reader(counting, present=present), window)}

    assert then["a"] is now["a"]
    assert (then["b"].state, now["b"].state) == ("open", "closed")


def test_nothing_new_costs_one_small_question(kept, fill):
    """Which ClickHouse answers without reading a row."""
    clock, present, counting = kept
    fill("breaker_transitions", [transition(-30, "checkout", "payment", "closed>open")])
    present.current()
    counting.asked.clear()
    for _ in range(5):
        clock.now_ns += S
        assert [it.state for it in present.current()] == ["open"]

    assert counting.asked == ["SELECT count() AS rows FROM breaker_transitions LIMIT 1"] * 5


def test_where_nothing_was_written_nothing_is_asked(store, fill):
    """For five seconds: an engine that hangs is found out; a write is seen at the next look."""
    clock, counting, mark = Clock(), Counting(store), ["a"]
    present = Present(counting, clock, heard_every_ns=0, mark=lambda: mark[0])
    fill("breaker_transitions", [transition(-30, "checkout", "payment", "closed>open")])
    present.current()
    counting.asked.clear()

    asked = []
    for second in range(7):
        clock.now_ns += S
        present.current()
        asked.append(len(counting.asked))
        if second == 5:
            fill("breaker_transitions", [transition(6, "checkout", "payment", "open>closed")])
            mark[0] = "b"

    assert asked[:6] == [0, 0, 0, 0, 1, 1]
    assert [it.state for it in present.current()] == ["closed"]


def test_a_page_that_was_opened_seconds_ago_is_told_the_present(kept, fill):
    """A page's questions come after the moment it asks about: what is kept answers them; of minutes ago who was heard of is read beside it, and what is longer ago is read."""
    clock, present, counting = kept
    fill("breaker_transitions", [transition(-60, "checkout", "payment", "closed>open")])
    present.states()

    def asked(ago_s):
        counting.asked.clear()
        window = Window(NOW_NS - 3600 * S, NOW_NS - ago_s * S, clock())
        found = states(Reader(counting, present=present), window)
        return [state.state for state in found], len(counting.asked)

    assert [asked(0), asked(2), asked(9)] == [(["open"], 1)] * 3
    assert [asked(30), asked(300)[1]] == [(["open"], 2), 2]
    assert asked(301)[1] > 2


def test_new_rows_are_read_and_no_others(kept, fill, store):
    """Late ones too, and after the parts were merged."""
    clock, present, counting = kept
    fill("breaker_transitions", [transition(-30 - n, f"s{n}", "payment", "closed>open") for n in range(50)])
    present.current()
    store.command("OPTIMIZE TABLE breaker_transitions FINAL")
    fill(
        "breaker_transitions",
        [transition(-7200, "late", "payment", "closed>open", observed_at="2026-01-01 00:00:00")],
    )
    counting.asked.clear()
    fill("logs", [log(-1, "alive", service="late")])

    clock.now_ns += S
    states_now = {it.service: it.state for it in present.current()}
    read = [sql for sql in counting.asked if "_block_number >" in sql]

    assert states_now["late"] == "open"
    assert len(states_now) == 51
    assert len(read) == 1
    assert not [sql for sql in counting.asked if "_block_number <=" in sql]


def test_rows_that_are_gone_are_forgotten(kept, fill, store):
    """A partition that left with its retention, a table that was emptied: everything is read again."""
    clock, present, _ = kept
    fill("breaker_transitions", [transition(-30, "checkout", name, "closed>open") for name in ("a", "b")])
    assert len(present.current()) == 2
    store.command("TRUNCATE TABLE breaker_transitions")
    fill("breaker_transitions", [transition(-20, "cart", "stock", "closed>open")])
    clock.now_ns += S

    assert [it.service for it in present.current()] == ["cart"]


def test_who_goes_quiet_is_unknown_and_known_again(kept, fill):
    """By the clock alone; a record of the service brings it back."""
    clock, present, _ = kept
    fill("breaker_transitions", [transition(-30, "checkout", "payment", "closed>open")])
    before = [it.state for it in present.current()]
    clock.now_ns += 400 * S
    quiet = [it.state for it in present.current()]
    fill("logs", [log(395, "back")])
    clock.now_ns += S

    assert (before, quiet, [it.state for it in present.current()]) == (["open"], ["unknown"], ["open"])


def test_what_gathers_is_loaded_before_somebody_is_said_to_be_quiet(store, fill):
    """Records in the journal are words of a service, too; who is quiet already has nothing loaded at each look."""
    clock, loaded = Clock(), []

    def load():
        loaded.append(clock.now_ns - NOW_NS)
        if len(loaded) == 1:
            fill("logs", [log(395, "here")])

    present = Present(store, clock, heard_every_ns=5 * S, attend=load)
    fill("breaker_transitions", [transition(-30, "checkout", "payment", "closed>open")])
    told = []
    for at_s in (0, 400, 402, 800, 802, 806):
        clock.now_ns = NOW_NS + at_s * S
        told.append([it.state for it in present.current()])

    assert told == [["open"]] * 3 + [["unknown"]] * 3
    assert loaded == [400 * S, 800 * S]


class WithoutBlocks:
    """A store whose rows do not say by which insert they came, as a cluster's."""

    def __init__(self, store):
        self._store = store

    def query(self, sql, *more):
        """Refuse what a Distributed table would."""
        return self._store.query(sql.replace("_block_number", "no_such_column"), *more)


def test_without_block_numbers_the_tables_are_asked(store, fill):
    """The same answers, at the price of reading them each time."""
    fill("breaker_transitions", [transition(-30, "checkout", "payment", "closed>open")])
    present = Present(WithoutBlocks(store), lambda: NOW_NS)

    assert [it.state for it in present.current()] == ["open"]
    assert [shape(state) for state in present.states()] == by_sql(store, NOW_NS)


def test_what_is_known_of_an_old_opening_is_its_own_word(reader, fill):
    """Hours later a derived transition a moment after the breaker's own still does not stand before it."""
    fill(
        "breaker_transitions",
        [
            transition(
                -9000, "checkout", "payment", "closed>open", reason="5 of 8 failed", trace_id="a" * 32
            ),
            transition(
                -8985, "checkout", "payment", "closed>open", derived=True, interval_ms=15_000, source="metric"
            ),
        ],
    )
    (state,) = states(reader, Window(0, NOW_NS, NOW_NS))

    assert (state.shown.last.reason, state.shown.last.derived) == ("5 of 8 failed", False)
    assert state.since_ns == NOW_NS - 9000 * S
