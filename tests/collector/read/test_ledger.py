"""The ledger on a real engine: cohorts, losses, gaps and overlaps, against plain models of what should be said."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.query.window import SECOND_NS, Window
from collector.read.agents import agents
from collector.read.ledger import ledger
from collector.read.sql import Reader
from tests.collector.read.real_store import NOW_NS, Filler, at

REAL = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_ids = itertools.count()


@pytest.fixture
def fill(store):
    """Inserts rows for one test."""
    filler = Filler(store)
    yield filler
    filler.empty()


def window(start: float = -3600, end: float = 0, now: float = 0) -> Window:
    """The range [start, end) in seconds after the tests' now."""
    return Window(*(NOW_NS + round(seconds * SECOND_NS) for seconds in (start, end, now)))


def batch(arrived: float, sequence: int = 0, **fields: Any) -> dict[str, Any]:
    """A row of `batches`; by default a block of 100 bytes of a file, in the order of sequences."""
    row = {
        "received_at": at(arrived), "batch_id": f"b{next(_ids)}", "agent": "a1", "service": "shop", "env": "", "signal": "logs",
        "source_kind": "file", "source_path": "/app.log", "generation": "g1", "source_start": 100 * sequence,
        "source_end": 100 * sequence + 100, "sequence": sequence, "bytes": 100, "records": 1, "quarantined": False, "retention_days": 3000,
    }  # fmt: skip
    return {**row, **fields}


def counter(read: int, **fields: Any) -> dict[str, Any]:
    """One stream's counters after *read* blocks of 100 bytes."""
    counted = {
        "service": "shop",
        "env": "",
        "signal": "logs",
        "source": "file:/app.log",
        "read_blocks": read,
        "read_bytes": 100 * read,
    }
    return {**counted, **fields}


def report(
    told: float, number: int, through: int, *counters: dict[str, Any], **fields: Any
) -> dict[str, Any]:
    """A row of `agent_reports`: the *number*-th, made at *told*, counting blocks up to *through*."""
    row = {
        "at": at(told), "observed_at": at(told), "agent": "a1", "name": "n", "version": "0.1.0", "host": "h", "sequence": number,
        "counted_through": through, "clock_skew_ms": 0, "started_at": at(-90000), "spool_blocks": 0, "spool_bytes": 0, "oldest_age_s": 0.0,
        "lag_bytes": 0, "counters": json.dumps(counters or [counter(through)]), "exporter": "", "batch_id": f"r{next(_ids)}",
        "retention_days": 3000,
    }  # fmt: skip
    return {**row, **fields}


def one(reader: Reader, **bounds: float) -> dict[str, Any]:
    """The ledger's only row of agent a1."""
    (row,) = [row for row in ledger(reader, window(**bounds)) if row["agent"] == "a1"]
    return row


def assert_sum(row: dict[str, Any]) -> None:
    """Emitted = stored + rejected + dropped + in flight, in blocks and in bytes, nothing negative."""
    for unit in ("", "_bytes"):
        parts = [
            row[f"stored{unit}"],
            row[f"rejected{unit}"],
            row[f"in_flight{unit}"],
            *row[f"dropped{unit}"].values(),
        ]
        assert min(parts) >= 0, row
        assert row[f"emitted{unit}"] == sum(parts), row


# -- cohorts


def test_a_block_belongs_to_the_range_it_was_emitted_in_however_late_it_is_stored(fill, reader):
    """Blocks of an outage arrive an hour later and are still stored blocks of their own range."""
    fill("agent_reports", [report(-7300, 1, 10), report(-3700, 2, 30), report(-100, 3, 40)])
    fill("batches", [batch(-50, number) for number in range(1, 41)])

    early, late = one(reader, start=-7200, end=-3600), one(reader)

    assert (early["emitted"], early["stored"], early["in_flight"]) == (20, 20, 0)
    assert (late["emitted"], late["stored"], late["in_flight"]) == (10, 10, 0)


def test_what_is_not_stored_and_not_given_up_is_in_flight(fill, reader):
    """Blocks and bytes that a report counts and no table has."""
    fill("agent_reports", [report(-3700, 1, 10), report(-10, 2, 30, counter(30, spooled_blocks=5))])
    fill("batches", [batch(-60, number) for number in range(1, 26)])

    row = one(reader)

    assert_sum(row)
    assert (row["emitted"], row["stored"], row["in_flight"], row["in_flight_bytes"]) == (20, 15, 5, 500)


def test_reports_may_come_late_twice_and_out_of_order(fill, reader):
    """Their own time and number decide, not their arrival."""
    reports = [report(-3700, 1, 10), report(-1800, 2, 20), report(-10, 3, 30)]
    again = {**reports[1], "observed_at": at(5), "batch_id": "again"}
    fill(
        "agent_reports",
        [{**reports[2], "observed_at": at(-10)}, {**reports[0], "observed_at": at(2)}, again, reports[1]],
    )
    fill("batches", [batch(-20, number) for number in range(1, 31)])

    assert one(reader, start=-3600, end=-1000)["stored"] == one(reader, start=-1000)["stored"] == 10


def test_adjoining_ranges_share_no_block_even_when_a_clock_was_set_back(fill, reader):
    """The agent's clock loses half an hour: what both ranges say together is what the whole range says."""
    fill(
        "agent_reports", [report(-3500, 1, 10), report(-600, 2, 20), report(-2400, 3, 30), report(-30, 4, 40)]
    )
    fill("batches", [batch(-20, number) for number in range(1, 41)])

    parts = [one(reader, start=-3600, end=-1800), one(reader, start=-1800)]

    assert [part["emitted"] for part in parts] == [30, 10]
    assert sum(part["stored"] for part in parts) == one(reader)["stored"] == 40


def test_lines_taken_out_of_a_shipped_block_count_bytes_and_lines_but_no_block(fill, reader):
    """The sum holds in bytes, too."""
    shed = {
        "sampled": {"blocks": 0, "bytes": 300, "lines": 6},
        "spool_full": {"blocks": 2, "bytes": 200, "lines": 4},
    }
    fill("agent_reports", [report(-10, 1, 10, counter(10, read_bytes=1300, dropped=shed))])
    fill("batches", [batch(-60, number) for number in range(1, 9)])

    row = one(reader)

    assert_sum(row)
    assert row["dropped"] == {"spool_full": 2}
    assert row["dropped_bytes"] == {"sampled": 300, "spool_full": 200}
    assert row["dropped_lines"] == {"sampled": 6, "spool_full": 4}


def test_a_quarantined_batch_is_rejected_and_shown_by_itself(fill, reader):
    """The collector took it and could not store it: it is not stored, and it is not lost either."""
    fill("agent_reports", [report(-10, 1, 3, counter(3, rejected_blocks=1, rejected_bytes=100))])
    fill("batches", [batch(-60, 1), batch(-50, 2, quarantined=True)])

    row = one(reader)

    assert_sum(row)
    assert (row["stored"], row["rejected"], row["quarantined"], row["in_flight"]) == (1, 2, 1, 0)
    assert row["rejected_bytes"] == 200


def test_blocks_given_up_later_than_their_range_are_not_in_flight_for_ever(fill, reader):
    """An outage's blocks are shed in the next hour: the first range says so afterwards, the second does not count them."""
    shed = {"spool_full": {"blocks": 6, "bytes": 600, "lines": 6}}
    fill(
        "agent_reports",
        [
            report(-7300, 1, 0),
            report(-3700, 2, 10, counter(10, spooled_blocks=6)),
            report(-10, 3, 12, counter(12, dropped=shed)),
        ],
    )
    fill(
        "batches",
        [batch(-4000, number) for number in (1, 2, 3, 4)] + [batch(-30, number) for number in (11, 12)],
    )

    early, late = one(reader, start=-7200, end=-3600), one(reader)

    assert_sum(early)
    assert_sum(late)
    assert (early["dropped"], early["in_flight"]) == ({"spool_full": 6}, 0)
    assert (late["dropped"], late["lost_from_before"], late["stored"]) == ({}, 6, 2)


def test_an_agent_without_sequences_is_counted_between_the_arrivals_of_its_reports(fill, reader):
    """An agent of an earlier version, upgraded within the range: both parts count."""
    fill(
        "agent_reports",
        [report(-3700, 1, 0, counter(5)), report(-1000, 2, 0, counter(15)), report(-10, 3, 17, counter(17))],
    )
    fill("batches", [batch(-2000, source_start=index, source_end=index + 1) for index in range(10)])
    fill("batches", [batch(-60, number) for number in (16, 17)])

    row = one(reader)

    assert (row["emitted"], row["stored"], row["in_flight"]) == (12, 12, 0)


def test_an_agent_older_than_what_is_kept_is_counted_from_its_first_kept_report(fill, reader):
    """Counters from before the retention meet no batches any more: they are left out on both sides."""
    fill("agent_reports", [report(-86400, 900, 5000), report(-10, 901, 5003)])
    fill("batches", [batch(-60, number) for number in (5001, 5002, 5003)])

    row = one(reader, start=-2 * 86400, now=2999.5 * 86400)

    assert (row["emitted"], row["stored"], row["in_flight"]) == (3, 3, 0)


def test_an_agent_that_never_reports_is_known_by_what_arrived(fill, reader):
    """Like an SDK: emitted is what is stored, and it is said that nobody counted."""
    fill("agent_reports", [report(-10, 1, 1)])
    fill(
        "batches",
        [
            batch(-60, 1),
            batch(-60, 7, agent="mute"),
            batch(-60, 8, agent="mute", quarantined=True),
            batch(-60, agent=""),
        ],
    )

    rows = {row["agent"]: row for row in ledger(reader, window())}

    assert {agent: (row["reported"], row["emitted"], row["stored"]) for agent, row in rows.items()} == {
        "a1": (True, 1, 1), "mute": (False, 2, 1), "": (False, 1, 1)
    }  # fmt: skip
    assert_sum(rows["mute"])


def test_a_baseline_and_a_newest_report_are_found_however_far_away(fill, reader):
    """An agent that was silent for days before the range, and one whose last word came days after it."""
    day = 86_400
    fill(
        "agent_reports",
        [
            report(-9 * day, 1, 10),
            report(-5 * day, 2, 12, counter(12, spooled_blocks=2)),
            report(-3 * day, 3, 12, counter(12, rejected_blocks=2)),
        ],
    )

    row = one(reader, start=-5 * day - 60, end=-5 * day + 60)

    assert (row["emitted"], row["rejected"], row["in_flight"]) == (2, 2, 0)


@dataclass
class Story:
    """One agent's life in steps of ten seconds: what it emitted when, what became of each block, and its reports."""

    emitted: dict[int, int] = field(default_factory=dict)
    fate: dict[int, tuple[str, float]] = field(default_factory=dict)
    reports: list[dict[str, Any]] = field(default_factory=list)

    def counters(self, step: int) -> dict[str, Any]:
        """What the agent counts at the end of *step*."""
        known = [number for number, when in self.emitted.items() if when <= step]
        ends = Counter(self.fate[number][0] for number in known if self.fate[number][1] <= step)
        dropped = {
            "spool_full": {
                "blocks": ends["dropped"],
                "bytes": 100 * ends["dropped"],
                "lines": ends["dropped"],
            }
        }
        spooled = len(known) - ends.total()
        return counter(
            len(known),
            rejected_blocks=ends["rejected"],
            rejected_bytes=100 * ends["rejected"],
            dropped=dropped,
            spooled_blocks=spooled,
        )


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """A few hundred seconds of an agent; some reports are lost, some come late, some twice."""
    rng = draw(st.randoms(use_true_random=False))
    story, number = Story(), 0
    for step in range(30):
        for _ in range(rng.randrange(4)):
            number += 1
            story.emitted[number] = step
            ends = rng.choice(["stored", "stored", "stored", "quarantined", "dropped", "rejected", "waiting"])
            story.fate[number] = (ends, 999 if ends == "waiting" else step + rng.choice([0, 0, 0, 1, 9]))
        made = report(
            -600 + 10 * step,
            step + 1,
            number,
            story.counters(step),
            observed_at=at(-600 + 10 * step + rng.choice([0, 0, 300])),
        )
        story.reports += [made] * rng.choice([0, 1, 1, 1, 2])
    return story


@REAL
@given(story=stories(), cut=st.integers(-620, -280))
def test_the_sum_holds_for_any_range_and_ranges_add_up(store, story: Story, cut: int) -> None:
    """Whatever became of the blocks and of the reports: the sum holds, and a range's parts add up to it."""
    fill, reader = Filler(store), Reader(store)
    try:
        if story.reports:
            fill("agent_reports", story.reports)
        arrived = [
            batch(-600 + 10 * when, number, quarantined=ends == "quarantined")
            for number, (ends, when) in story.fate.items()
            if ends in ("stored", "quarantined") and when < 30
        ]
        if arrived:
            fill("batches", arrived)
        ranges = [(-700, cut), (cut, 0), (-700, 0)]
        found = [[row for row in ledger(reader, window(*each)) if row["reported"]] for each in ranges]
    finally:
        fill.empty()

    for rows in found:
        for row in rows:
            assert_sum(row)
    totals = [
        {name: sum(row[name] for row in rows) for name in ("emitted", "stored", "quarantined")}
        for rows in found
    ]
    left, right, whole = (Counter(total) for total in totals)
    assert left + right == +whole
    through = max((made["counted_through"] for made in story.reports), default=0)
    stored = {
        number
        for number, (ends, when) in story.fate.items()
        if ends == "stored" and when < 30 and number <= through
    }
    assert whole["stored"] == len(stored)
    assert whole["emitted"] == through


# -- gaps and overlaps


def test_a_range_that_was_never_stored_is_a_gap_with_its_path_and_offsets(fill, reader):
    """Later blocks are there, nothing waits, nobody gave anything up."""
    fill("agent_reports", [report(-10, 1, 4)])
    fill("batches", [batch(-100 + number, number) for number in (1, 2, 4)])

    (gap,) = one(reader)["gaps"]

    assert gap | {"seen_at": ""} == {
        "source_kind": "file", "source_path": "/app.log", "generation": "g1", "missing_from": 300, "missing_to": 400, "seen_at": "", "explained": "",
    }  # fmt: skip


def test_a_hole_that_the_agent_gave_up_is_explained(fill, reader):
    """As many holes as blocks were dropped or rejected; a further one stays unexplained."""
    shed = {"spool_full": {"blocks": 1, "bytes": 100, "lines": 1}}
    fill("agent_reports", [report(-10, 1, 6, counter(6, dropped=shed))])
    fill("batches", [batch(-100 + number, number) for number in (1, 2, 4, 6)])

    assert [gap["explained"] for gap in one(reader)["gaps"]] == ["dropped", ""]


def test_what_is_still_on_its_way_is_no_gap(fill, reader):
    """A block older than its stored neighbour waits in the spool, or no report has counted the neighbour yet."""
    waiting = report(-10, 1, 4, counter(4, spooled_blocks=1), spool_blocks=1, oldest_age_s=200.0)
    fill("agent_reports", [waiting, report(-10, 1, 3, agent="a2")])
    fill(
        "batches",
        [batch(-100 + number, number, agent=agent) for agent in ("a1", "a2") for number in (1, 2, 4)],
    )

    assert [row["gaps"] for row in ledger(reader, window())] == [[], []]


def test_what_was_stored_outside_the_window_is_no_gap(fill, reader):
    """A block that arrived before the window, or after its end, fills its hole."""
    fill("agent_reports", [report(-2000, 1, 4), report(-10, 2, 9)])
    fill(
        "batches",
        [batch(-3000, 3), *(batch(-1000 + number, number) for number in (1, 2, 4, 5, 7)), batch(-20, 6)],
    )

    assert one(reader, start=-2500, end=-500)["gaps"] == []


def test_the_same_bytes_under_two_identities_are_an_overlap(fill, reader):
    """Which bytes, of which file, by which batch."""
    fill("agent_reports", [report(-10, 1, 3)])
    fill(
        "batches",
        [batch(-90, 1), batch(-80, 2), batch(-70, 3, source_start=250, source_end=400, batch_id="twice")],
    )

    (overlap,) = one(reader)["overlaps"]

    assert (overlap["from"], overlap["to"], overlap["batch_id"], overlap["source_path"]) == (
        250,
        300,
        "twice",
        "/app.log",
    )
    assert one(reader)["gaps"] == []


@REAL
@given(seed=st.integers(0, 2**32), faults=st.integers(0, 6))
def test_gaps_and_overlaps_are_what_a_model_of_sets_says(store, seed: int, faults: int) -> None:
    """Random sources, cut at random, with blocks missing, repeated, re-cut, quarantined, and received outside the window."""
    rng = random.Random(seed)
    rows = []
    for agent, kind, generation in itertools.product(("a1", "a2"), ("file", "scrape"), ("g1", "g2")):
        rows += _source(rng, agent, kind, generation, faults)
    rng.shuffle(rows)
    fill, reader = Filler(store), Reader(store)
    try:
        fill("batches", rows)
        found = ledger(reader, window())
    finally:
        fill.empty()

    assert _covered(found, "gaps", "missing_from", "missing_to") == _model_gaps(rows)
    assert _covered(found, "overlaps", "from", "to") == _model_overlaps(rows)


def _source(rng: random.Random, agent: str, kind: str, generation: str, faults: int) -> list[dict[str, Any]]:
    """One generation's batches: a tiling of it, then some of it spoiled."""
    edges = list(
        itertools.accumulate([rng.randrange(20), *(rng.randrange(1, 9) for _ in range(rng.randrange(2, 25)))])
    )
    made = [
        batch(
            -1000 + place,
            source_start=start,
            source_end=end,
            agent=agent,
            source_kind=kind,
            generation=generation,
        )
        for place, (start, end) in enumerate(itertools.pairwise(edges))
    ]
    for _ in range(faults):
        victim = rng.randrange(len(made))
        match rng.randrange(5):
            case 0 if len(made) > 1:
                made.pop(victim)
            case 1:
                made.append({**made[victim], "batch_id": f"b{next(_ids)}"})
            case 2:
                start = made[victim]["source_start"]
                made.append(
                    {
                        **made[victim],
                        "batch_id": f"b{next(_ids)}",
                        "source_start": start,
                        "source_end": start + rng.randrange(1, 30),
                    }
                )
            case 3:
                made[victim] = {**made[victim], "quarantined": True}
            case _:
                made[victim] = {**made[victim], "received_at": at(rng.choice([-9000, 10]))}
    return made


Cell = tuple[str, str, str, int]  # agent, kind, generation, offset


def _cells(row: dict[str, Any]) -> list[Cell]:
    return [
        (row["agent"], row["source_kind"], row["generation"], offset)
        for offset in range(row["source_start"], row["source_end"])
    ]


def _inside(row: dict[str, Any]) -> bool:
    return at(-3600) <= row["received_at"] < at(0)


def _model_gaps(rows: list[dict[str, Any]]) -> set[Cell]:
    """Offsets between the first and the last of a generation in the window that no batch ever had."""
    stored = {cell for row in rows for cell in _cells(row)}
    spans: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row in filter(_inside, rows):
        for *source, offset in _cells(row):
            spans[tuple(source)].append(offset)
    between = {
        (*source, offset) for source, found in spans.items() for offset in range(min(found), max(found))
    }
    return between - stored  # type: ignore[return-value]


def _model_overlaps(rows: list[dict[str, Any]]) -> set[Cell]:
    """Offsets that two stored batches of the window have."""
    counted = Counter(cell for row in filter(_inside, rows) if not row["quarantined"] for cell in _cells(row))
    return {cell for cell, times in counted.items() if times > 1}


def _covered(found: list[dict[str, Any]], name: str, first: str, below: str) -> set[Cell]:
    return {
        (row["agent"], each["source_kind"], each["generation"], offset)
        for row in found
        for each in row[name]
        for offset in range(each[first], each[below])
    }


# -- agents


def test_an_agent_shows_its_last_word_and_what_it_gave_up(fill, reader):
    """Version, restarts, age of the spool, breaker, totals; a clock that is ahead is said to be."""
    shed = {"spool_full": {"blocks": 2, "bytes": 9, "lines": 3}}
    fill("agent_reports", [
        report(-30, 1, 3), report(-20, 2, 5, started_at=at(-25)),
        report(-10, 3, 9, counter(9, dropped=shed, rejected_blocks=4), started_at=at(-25), clock_skew_ms=90_000,
               exporter='{"breaker":"open"}', spool_blocks=2, oldest_age_s=4.5),
    ])  # fmt: skip

    (row,) = agents(reader, window())

    assert (row["restarts"], row["oldest_age_s"], row["rejected"], row["dropped"]) == (
        1,
        4.5,
        4,
        {"spool_full": 2},
    )
    assert (row["breaker"]["state"], row["state"], row["clock_skew_ms"]) == ("open", "refused", 90_000)


def test_an_agents_way_to_its_collectors_is_shown(fill, reader):
    """Each collector with its breaker; a key that nobody takes is a refusal though every breaker is closed."""
    ways = [{"url": "http://one:4318", "breaker": "closed", "key_refused": True, "current": True}]
    told = [{"breaker": "closed", "key_refused": True, "collectors": ways}, {"breaker": 7}, ["no"], {}]
    fill(
        "agent_reports",
        [report(-5, 1, 3, agent=f"a{n}", exporter=json.dumps(said)) for n, said in enumerate(told)],
    )

    rows = agents(reader, window())

    assert rows[0]["breaker"]["collectors"] == [
        {"url": "http://one:4318", "state": "closed", "key_refused": True, "current": True}
    ]
    assert [row["state"] for row in rows] == ["refused", "up", "up", "up"]
    assert [row["breaker"] for row in rows[1:]] == [None, None, None]


def test_an_agent_is_silent_after_three_missing_reports_of_its_own_pace(fill, reader):
    """Every ten seconds or every minute: three of its own intervals, at least 35 s."""
    fill("agent_reports", [report(-200 + 10 * number, number, 0) for number in range(1, 10)])
    fill("agent_reports", [report(-400 + 60 * number, number, 0, agent="slow") for number in range(1, 6)])

    assert {row["agent"]: row["state"] for row in agents(reader, window())} == {"a1": "silent", "slow": "up"}


def test_no_agent_is_silent_whose_reports_may_wait_to_be_loaded(fill, reader):
    """An engine that was away, or is slow, is no reason to look after agents."""
    fill("agent_reports", [report(-200 + 10 * number, number, 0) for number in range(1, 10)])

    reader.unloaded_ns = lambda signals: NOW_NS - 80 * SECOND_NS if "reports" in signals else None

    assert [row["state"] for row in agents(reader, window())] == ["up"]


def test_an_agent_whose_blocks_wait_is_spooling_and_the_canary_is_no_agent(fill, reader):
    """Blocks older than ten seconds wait for the collector; the collector's own stream is not listed."""
    fill(
        "agent_reports",
        [report(-5, 1, 3, spool_blocks=1, oldest_age_s=11.0), report(-5, 1, 3, agent="canary-x")],
    )

    assert [(row["agent"], row["state"]) for row in agents(reader, window())] == [("a1", "spooling")]
