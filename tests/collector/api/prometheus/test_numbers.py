"""Values and times are written as Prometheus writes them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.api.prometheus.numbers import time_text, value_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (-0.0, "-0"), (1.0, "1"), (-2.5, "-2.5"), (0.1 + 0.2, "0.30000000000000004"), (1e20, "100000000000000000000"),
        (1e21, "1e+21"), (123456789012345678.0, "123456789012345680"), (1e-6, "0.000001"), (9.9e-7, "9.9e-07"), (-1.5e-7, "-1.5e-07"),
        (1.7976931348623157e308, "1.7976931348623157e+308"), (5e-324, "5e-324"), (math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"),
    ],
)  # fmt: skip
def test_a_value_has_its_shortest_digits(value, text):
    """No exponent between a millionth and 1e21; infinities have a sign."""
    assert value_text(value) == text


@given(st.floats(allow_nan=False))
def test_a_value_reads_back(value):
    """Whatever it is."""
    assert float(value_text(value)) == value


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [(0, "0"), (1000, "1"), (1500, "1.500"), (1001, "1.001"), (-1, "-0.001"), (-1500, "-1.500"), (1_795_000_000_123, "1795000000.123")],
)  # fmt: skip
def test_a_time_has_three_digits_behind_the_point_or_none(at_ms, text):
    """Seconds."""
    assert time_text(at_ms) == text
