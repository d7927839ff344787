"""Windows of deploys on the real engine: what is read once is added up for every window that it belongs to."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.query.window import SECOND_NS
from collector.read.comparison import Part, _cut, _portions, sides
from collector.read.sql import Reader
from tests.collector.read.real_store import NOW_NS, Filler, store

__all__ = ["store"]

END_S = NOW_NS // SECOND_NS // 3600 * 3600
LEVELS = (0.5, 0.95)
FIELDS = ("calls", "failed", "weighted")


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20)), max_size=12))
def test_stretches_hold_every_minute_of_every_range_once(drawn):
    """Each minute lies in one stretch, and that one names the ranges that it is in; minutes of nobody lie in none."""
    ranges = [(start, start + length, whose) for whose, (start, length) in enumerate(drawn)]
    found = list(_cut(ranges))

    for minute in range(62):
        owners = [whose for start, end, whose in ranges if start <= minute < end]
        assert [whose for start, end, whose in found if start <= minute < end] == ([owners] if owners else [])


@given(st.lists(st.integers(1, 30), max_size=20), st.integers(1, 40))
def test_portions_hold_every_part_once_and_no_more_minutes_than_they_may(drawn, most):
    """In their order; a part that is longer by itself is a portion by itself."""
    parts = [
        (Part(number, "after", "svc", "demo", "2", 0, length * 60), [(0, length * 60)])
        for number, length in enumerate(drawn)
    ]
    found = list(_portions(parts, most))

    assert [part for portion in found for part in portion] == parts
    for portion in found:
        assert len(portion) == 1 or sum(part.end_s for part, _ in portion) <= most * 60


@pytest.fixture
def minutes(store):
    """Minutes of four services in two environments, of versions that come and go, as rows of the rollup; by a drawn seed."""

    def made(seed):
        rng = random.Random(seed)
        rows = [
            {"minute": END_S - back * 60, "service": f"svc-{service}", "env": env, "kind": kind, "route": "/", "status_class": "2xx", "version": version, "retention_days": 3000,
             "calls": rng.randint(1, 50), "errors": rng.randint(0, 1), "duration_ns_sum": 0}
            for service in range(4) for env in ("demo", "prod") for back in range(1, 240) for version in ("1", "2") for kind in ("server", "client")
            if rng.random() < (0.8 if (version == "2") == (back < 120) else 0.1)
        ]  # fmt: skip
        Filler(store)("service_minutes", rows)
        return rng, rows

    yield made
    store.command("TRUNCATE TABLE service_minutes")


def parts_of(rng):
    """Eight deploys at any minute, each with its four windows; some overlap."""
    for number in range(8):
        at, span_s = END_S - rng.randrange(20, 200) * 60, rng.randrange(2, 60) * 60
        for name, start_s, end_s in (
            ("after", at, at + span_s),
            ("beside", at, at + span_s),
            ("before", at - span_s, at),
            ("day_before", at - 3600, at - 3600 + span_s),
        ):
            yield Part(number, name, f"svc-{number % 4}", "demo" if number % 3 else "prod", "2", start_s, end_s)  # fmt: skip


def added_up(rows, parts):
    """The same by hand, row by row."""
    versions = defaultdict(set)
    for row in rows:
        versions[row["service"], row["env"], row["minute"]].add(row["version"])
    found = defaultdict(lambda: dict.fromkeys(FIELDS, 0))
    for part in parts:
        for row in rows:
            mine = (row["service"], row["env"]) == (part.service, part.env)
            if not mine or not part.start_s <= row["minute"] < part.end_s:
                continue
            at_work = versions[row["service"], row["env"], row["minute"]]
            if part.name == "beside" and (part.version not in at_work or len(at_work) < 2):
                continue
            key = (part.number, part.name, row["version"] == part.version, row["kind"] == "server")
            for field, name in zip(FIELDS, ("calls", "errors", "calls"), strict=True):
                found[key][field] += row[name]
    return dict(found)


@pytest.mark.parametrize("seed", range(3))
def test_each_window_has_the_minutes_that_are_its_own(minutes, store, seed):
    """Whatever windows overlap, whichever versions serve side by side: counts are those of the rows, added up by hand."""
    rng, rows = minutes(seed)
    parts = list(parts_of(rng))

    found = {
        (row["number"], row["part"], bool(row["own"]), bool(row["serves"])): {field: row[field] for field in FIELDS}
        for row in sides(Reader(store), parts, LEVELS)
    }  # fmt: skip

    assert found == added_up(rows, parts)
