"""Weekly, monthly, quarterly, or by chance."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.read.rhythm import rhythm


@pytest.mark.parametrize(
    ("days", "name"),
    [
        ([0, 7, 14, 21], "weekly"),
        ([0, 1, 14, 28, 29, 42], "every two weeks"),
        ([0, 31, 59, 90, 120, 151], "monthly"),
        ([30, 60, 61, 62, 91], "monthly"),
        ([0, 90, 181, 273], "quarterly"),
        ([0, 45, 90], "every 45 days"),
    ],
)
def test_occasions_at_like_distances_have_a_rhythm(days, name):
    """Days next to each other are one occasion."""
    found = rhythm(days)

    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("days", [[], [5], [0, 30], list(range(100)), [0, 30, 37, 90], [0, 5, 80, 84, 300]])
def test_two_are_a_distance_and_what_comes_daily_or_anyhow_has_none(days):
    """None rather than a guess."""
    assert rhythm(days) is None


def test_chance_is_hardly_ever_a_rhythm():
    """Five days out of three hundred, thrown a thousand times."""
    rng = random.Random(3)
    found = sum(rhythm(sorted(rng.sample(range(300), 5))) is not None for _ in range(1000))

    assert found <= 50


@given(st.lists(st.integers(0, 60_000), unique=True, max_size=60).map(sorted))
def test_the_next_occasion_is_due_after_the_last(days):
    """Whatever the days."""
    found = rhythm(days)

    assert found is None or found.due > found.last
