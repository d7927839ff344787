"""Is a version worse: the tests behind a verdict, and how often they cry wolf."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.health.regression import LEVELS, VERDICTS, Side, judge

BEFORE = "before"


def side(calls=1000, failed=0, median_ms=20.0, tail=3.0, breakers=0):
    """Durations from half the median up to *tail* times it at the 95th percentile."""
    quantiles = [
        median_ms * (0.5 + level if level <= 0.5 else 1 + (tail - 1) * (level - 0.5) / 0.45)
        for level in LEVELS
    ]
    return Side(calls, failed, calls / 60, quantiles, breakers)


def codes(judged):
    """What it rests on."""
    return [(each["code"], each["direction"]) for each in judged.evidence]


def test_more_failures_are_a_regression():
    """Five in a hundred instead of one in two hundred."""
    judged = judge(side(failed=50), [(BEFORE, side(failed=5))])

    assert judged.verdict == "regressed"
    assert codes(judged) == [("errors", "worse")]
    assert judged.evidence[0]["statistic"] > 5
    assert judged.evidence[0]["message"] == "5.00% of 1000 calls failed, before 0.50% of 1000"


def test_fewer_failures_are_an_improvement():
    """The same the other way round."""
    assert judge(side(failed=5), [(BEFORE, side(failed=50))]).verdict == "improved"


def test_a_shifted_tail_is_a_regression_with_the_quantile_that_moved():
    """p95 three times as long, the median where it was."""
    judged = judge(side(tail=9), [(BEFORE, side(tail=3))])

    assert (judged.verdict, codes(judged)) == ("regressed", [("p95", "worse")])


@pytest.mark.parametrize(
    ("after", "before"),
    [
        (side(calls=10_000_000, failed=20_000), side(calls=10_000_000, failed=10_000)),
        (side(failed=14), side(failed=10)),
        (side(median_ms=23), side(median_ms=20)),
        (side(median_ms=2.6), side(median_ms=2)),
    ],
    ids=["a thousandth", "by chance", "a seventh slower", "milliseconds"],
)
def test_what_does_not_matter_or_is_chance_is_unchanged(after, before):
    """Significant is not enough, and neither is large."""
    judged = judge(after, [(BEFORE, before)])

    assert (judged.verdict, codes(judged)) == ("unchanged", [("no_difference", "none")])


@pytest.mark.parametrize(
    ("after", "baselines"),
    [
        (side(calls=49), [(BEFORE, side())]),
        (side(), [(BEFORE, side(calls=49))]),
        (side(), []),
        (Side(), [(BEFORE, Side())]),
        (side(), [(BEFORE, Side()), ("the day before", side())]),
    ],
)
def test_without_fifty_calls_on_each_side_nothing_is_said(after, baselines):
    """Nor by a day before that has no before."""
    assert judge(after, baselines).verdict == "too_little_data"


def test_an_evenings_rush_is_no_regression():
    """As slow and as failing at that time of the day before: not the version's doing."""
    rush = side(failed=60, median_ms=80)

    judged = judge(rush, [(BEFORE, side()), ("the day before", side(failed=55, median_ms=78))])

    assert judged.verdict == "unchanged"


def test_a_regression_holds_against_both_baselines():
    """Worse than before and worse than the day before."""
    judged = judge(side(failed=60), [(BEFORE, side()), ("the day before", side(failed=1))])

    assert judged.verdict == "regressed"


def test_callers_breakers_that_open_are_a_regression():
    """Unless they opened before, too."""
    assert judge(side(breakers=2), [(BEFORE, side())]).verdict == "regressed"
    assert judge(side(breakers=2), [(BEFORE, side(breakers=1))]).verdict == "unchanged"


def test_worse_in_one_thing_and_better_in_another_is_a_regression_with_both_said():
    """Who is paged wants to know of both."""
    judged = judge(side(failed=60, median_ms=10), [(BEFORE, side(median_ms=30))])

    assert judged.verdict == "regressed"
    assert {direction for _, direction in codes(judged)} == {"worse", "better"}


def drawn(rng, calls, ratio, median_ms):
    """One side of a system that does not change: failures and log-normal durations by chance."""
    durations = sorted(rng.lognormvariate(0, 0.8) * median_ms for _ in range(calls))
    quantiles = [durations[min(int(level * calls), calls - 1)] for level in LEVELS]
    return Side(calls, sum(rng.random() < ratio for _ in range(calls)), calls / 60, quantiles)


def test_the_same_version_twice_is_hardly_ever_judged():
    """Six hundred comparisons of a system with itself: at most one in a hundred is called a change."""
    rng = random.Random(7)
    changed = 0
    for _ in range(600):
        calls = rng.choice((60, 150, 400))
        ratio, median_ms = rng.choice((0.0, 0.02, 0.2)), rng.choice((5.0, 40.0))
        after, before = drawn(rng, calls, ratio, median_ms), drawn(rng, calls, ratio, median_ms)
        changed += judge(after, [(BEFORE, before)]).verdict in ("regressed", "improved")

    assert changed <= 6


sides = st.builds(
    lambda calls, share, breakers, values: Side(
        calls, int(calls * share), 1.0, tuple(sorted(values)), breakers
    ),
    st.integers(0, 10**9),
    st.floats(0, 1),
    st.integers(0, 3),
    st.one_of(st.just([]), st.lists(st.floats(0, 1e12), min_size=len(LEVELS), max_size=len(LEVELS))),
)


@given(sides, st.lists(sides, max_size=3))
def test_any_numbers_have_a_verdict(after, baselines):
    """No calls, all failed, durations of zero or of centuries."""
    assert judge(after, [(str(number), each) for number, each in enumerate(baselines)]).verdict in VERDICTS
