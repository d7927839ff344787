"""Samples that come late, in parts or in any order: nothing is told twice, nothing is made up, and in the end the state is what the last sample says."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from itertools import pairwise

import pytest

from collector.jobs.breaker_states import BREAKER_STATES
from collector.journal.envelope import Head
from collector.query.window import SECOND_NS, sql_time
from collector.read.breaker_metrics import WAYS

WAYS_TEXT = "[" + ", ".join(str(tuple(way)) for way in WAYS) + "]"
(STATEMENT,) = BREAKER_STATES.statements
NUMBERS = {"closed": 0, "half_open": 1, "open": 2}


class Lab:
    """Loads samples, and runs the job's windows one after the other as it does."""

    def __init__(self, warehouse, now_ns):
        self.warehouse = warehouse
        self.base_ns = now_ns - 900 * SECOND_NS
        self.done_s = 0.0

    def load(self, *looks):
        """Load (seconds, exposition) as one segment."""
        resource = {"service.name": "checkout", "service.instance.id": "c1"}
        heads = [
            (Head("b", at, at_ns=at, resource=resource), text.encode())
            for seconds, text in looks
            for at in (self.base_ns + int(seconds * SECOND_NS),)
        ]
        self.warehouse.load("exposition", *heads)

    def states(self, *looks):
        """Load (seconds, state) of one breaker."""
        self.load(*((at_s, f'gobreaker_state{{name="pay"}} {NUMBERS[state]}\n') for at_s, state in looks))

    def window(self, end_s):
        """Run the window from the last one's end; where nothing is wanted there is nothing to tell."""
        wanted = all(self.ask(sql, self.done_s, end_s) for sql in BREAKER_STATES.wanted)
        before = self.rows()
        self.ask(STATEMENT.sql, self.done_s, end_s)
        assert wanted or self.rows() == before
        self.done_s = end_s

    def ask(self, sql, start_s, end_s):
        """Run a statement of a window; returns its answer as text."""
        times = {
            name: sql_time(self.base_ns + int(at_s * SECOND_NS))
            for name, at_s in (("start", start_s), ("end", end_s))
        }
        return str(self.warehouse.connection.query(sql, "JSONEachRow", params={**times, "ways": WAYS_TEXT}))

    def rows(self):
        """Count them."""
        return self.warehouse.rows("SELECT count() AS n FROM breaker_transitions")[0]["n"]

    def told(self):
        """(seconds, from, to) by breaker, by time."""
        rows = self.warehouse.rows(f"""SELECT breaker, (toUnixTimestamp64Milli(at) - {self.base_ns // 10**6}) / 1000 AS at_s, from_state, to_state
                                       FROM breaker_transitions ORDER BY at""")
        told = defaultdict(list)
        for row in rows:
            told[row["breaker"]].append((round(row["at_s"]), row["from_state"], row["to_state"]))
        return told

    def pay(self):
        """What was told of the one breaker."""
        return self.told()["pay"]


@pytest.fixture
def lab(warehouse, now_ns):
    """One of empty tables."""
    return Lab(warehouse, now_ns)


def test_windows_that_overlap_tell_each_change_once(lab):
    """Every sample is looked at by several windows."""
    lab.states((0, "closed"), (15, "open"))
    lab.window(16)
    lab.states((30, "half_open"))
    for end_s in (31, 45, 60, 75):
        lab.window(end_s)

    assert lab.pay() == [(0, "", "closed"), (15, "closed", "open"), (30, "open", "half_open")]


def test_a_late_look_is_seen(lab):
    """It was open between two looks that both said closed."""
    lab.states((0, "closed"), (30, "closed"))
    lab.window(31)

    lab.states((15, "open"))
    lab.window(75)
    lab.window(90)

    assert lab.pay() == [(0, "", "closed"), (15, "closed", "open"), (30, "open", "closed")]


def test_a_late_look_does_not_tell_again_what_was_told(lab):
    """That it opened within the interval is known: that it was open earlier in it is not another opening."""
    lab.states((0, "closed"), (30, "open"))
    lab.window(31)

    lab.states((15, "open"))
    lab.window(75)

    assert lab.pay() == [(0, "", "closed"), (30, "closed", "open")]


def test_late_looks_complete_what_was_told(lab):
    """The newest look came first: the cycle before it is told when it comes."""
    lab.states((0, "closed"), (60, "open"))
    lab.window(61)

    lab.states((15, "open"), (30, "half_open"))
    lab.window(70)
    lab.states((45, "closed"))
    lab.window(80)

    assert [change[:1] + change[2:] for change in lab.pay()] == [
        (0, "closed"), (15, "open"), (30, "half_open"), (45, "closed"), (60, "open"),
    ]  # fmt: skip


def test_a_look_before_the_first_is_not_a_second_beginning(lab):
    """The same state, seen earlier."""
    lab.states((30, "open"))
    lab.window(31)

    lab.states((15, "open"))
    lab.window(45)

    assert lab.pay() == [(30, "", "open")]


def test_what_lies_in_an_opening_that_counters_betrayed_was_told_with_it(lab):
    """Calls were turned away between two closed looks; a late look in between must not leave it half open for ever."""

    def look(state, refused):
        return (
            f'resilience4j_circuitbreaker_state{{name="pay",state="{state}"}} 1\n'
            f'resilience4j_circuitbreaker_not_permitted_calls_total{{name="pay"}} {refused}\n'
        )

    lab.load((0, look("closed", 0)), (30, look("closed", 9)))
    lab.window(31)
    lab.load((25, look("half_open", 9)))
    lab.window(90)

    assert lab.pay() == [(0, "", "closed"), (10, "closed", "open"), (20, "open", "closed")]


def test_half_a_look_is_waited_for(lab):
    """One sender splits its samples: a flag that is down says nothing while another one's is not there yet."""

    def part(name, value):
        return f'hystrix_circuit_breaker_open{{key="pay",pool="{name}"}} {value}\n'

    lab.load((0, part("a", 0) + part("b", 1)), (15, part("a", 0)))
    lab.window(16)
    lab.load((15, part("b", 1)))
    lab.window(30)
    lab.window(75)

    assert lab.pay() == [(0, "", "open")]


def test_a_series_that_stays_away_is_not_waited_for_for_ever(lab):
    """The rest of a look has three quarters of a minute to come."""
    both = 'hystrix_circuit_breaker_open{key="pay",pool="a"} 0\nhystrix_circuit_breaker_open{key="pay",pool="b"} 1\n'
    lab.load((0, both), (15, 'hystrix_circuit_breaker_open{key="pay",pool="a"} 0\n'))
    lab.window(30)
    before = lab.pay()
    lab.window(61)

    assert (before, lab.pay()) == ([(0, "", "open")], [(0, "", "open"), (15, "open", "closed")])


def test_a_look_without_a_state_is_no_change(lab):
    """Its counters came, its state did not."""
    lab.load((0, 'circuit_breaker_state{name="pay",state="open"} 1\n'))
    lab.load((15, 'resilience4j_circuitbreaker_not_permitted_calls_total{name="pay"} 3\n'))
    lab.load((30, 'circuit_breaker_state{name="pay",state="open"} 1\n'))
    for end_s in (31, 60, 90):
        lab.window(end_s)

    assert lab.pay() == [(0, "", "open")]


def test_a_breaker_that_was_away_begins_once(lab):
    """Nobody knows what was in five minutes: a beginning, and no second one however far the windows still look back."""
    lab.states((0, "closed"), (310, "open"))
    for end_s in (1, 311, 340, 400, 420, 440):
        lab.window(end_s)

    assert lab.pay() == [(0, "", "closed"), (310, "", "open")]


def test_a_clock_that_is_a_little_ahead_is_no_reason_to_wait(lab):
    """A sample of five seconds from now is looked at now."""
    lab.states((0, "closed"), (15, "open"))
    lab.window(10)

    assert lab.pay()[-1] == (15, "closed", "open")


def test_a_window_that_is_run_again_gives_the_rows_it_left(lab):
    """Whatever came since its collector was killed: the views behind the table remember the same token, and must get the same rows."""
    select = STATEMENT.sql[STATEMENT.sql.index("WITH") :]
    lab.states((0, "closed"), (15, "open"))
    lab.window(16)

    lab.states((14, "half_open"))
    again = [json.loads(row)["to_state"] for row in lab.ask(select, 0, 16).splitlines()]
    lab.window(30)

    assert sorted(again) == ["closed", "open"]
    assert [change[2] for change in lab.pay()] == ["closed", "half_open", "open"]


def test_any_order_of_arrival_ends_in_the_same_states(lab):
    """A hundred breakers whose looks come up to a minute late, some never: each change was seen, none twice, and the last is what was seen last."""
    told_by = random.Random(6)
    looks = defaultdict(list)
    arriving = [[] for _ in range(11)]
    for breaker in range(100):
        for number in range(7):
            state = told_by.choice(tuple(NUMBERS))
            if told_by.random() < 0.9:
                looks[f"b{breaker}"].append((number * 15, state))
                text = f'gobreaker_state{{name="b{breaker}"}} {NUMBERS[state]}\n'
                arriving[number + told_by.choice((0, 0, 0, 1, 2, 4))].append((number * 15, text))
    for step, arrived in enumerate(arriving):
        if arrived:
            lab.load(*arrived)
        lab.window(step * 15 + 1)

    everything = lab.told()
    for breaker, seen in looks.items():
        told = [(at_s, to) for at_s, _, to in everything[breaker]]
        changes = [seen[0], *(new for old, new in pairwise(seen) if new[1] != old[1])]
        assert told[-1][1] == seen[-1][1], (breaker, seen, told)
        assert set(told) <= set(seen), (breaker, seen, told)
        assert len(set(told)) == len(told) <= len(changes), (breaker, seen, told)


def test_of_states_that_take_turns_each_change_is_told(lab):
    """Some tell the present state alone, in a label: each of its series says 1 for ever, and none is away for long."""
    states = ["closed", "open"] * 16
    for number, state in enumerate(states):
        lab.load((number * 15, f'circuit_breaker_state{{name="pay",state="{state}"}} 1\n'))
        lab.window(number * 15 + 1)

    assert [change[2] for change in lab.pay()] == states
