"""Range functions and the lookback, compared with the slow reference on random series."""

import math
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.collector.query.promql import reference
from tests.collector.query.promql.samples import STALE, SamplesFiller

T = 1_795_000_000_000
# An example asks the engine 26 questions: the smallest failing one is not worth minutes.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
# Scrapes with gaps, bursts and markers; whole steps, so that samples fall on the edges of windows too.
_GAPS = st.sampled_from([1_000, 7_500, 15_000, 15_000, 15_000, 30_000, 65_000, 310_000])
_VALUES = st.one_of(st.integers(0, 50).map(float), st.floats(-1e6, 1e6), st.just(STALE))


def _counted(values: list[float]) -> list[float]:
    """Add the values up; large ones start anew, markers stay."""
    total, sums = 0.0, []
    for value in values:
        total = total if math.isnan(value) else value if value > 45 else total + abs(value)
        sums.append(value if math.isnan(value) else total)
    return sums


@st.composite
def _series(draw: st.DrawFn) -> list[tuple[int, float]]:
    gaps = draw(st.lists(_GAPS, min_size=1, max_size=25))
    values = draw(st.lists(_VALUES, min_size=len(gaps), max_size=len(gaps)))
    if draw(st.booleans()):  # a counter that starts anew now and then
        values = _counted(values)
    times = [T + sum(gaps[:n]) for n in range(len(gaps))]
    return list(zip(times, values, strict=True))


def _same(found: float | None, wanted: float | None) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return math.isclose(found, wanted, rel_tol=1e-7, abs_tol=1e-6)


def _compared(
    ask: Callable[..., object],
    text: str,
    series: list[list[tuple[int, float]]],
    steps: tuple[int, int, int],
    wanted,
) -> None:
    start, end, step = steps
    answer = ask(text, start / 1000, end / 1000, step / 1000)
    found = {int(one.labels["n"]): dict(one.points) for one in answer.series}
    for n, samples in enumerate(series):
        for at in range(start, end + 1, step):
            value, expected = found.get(n, {}).get(at), wanted(samples, at)
            assert _same(value, expected), (
                f"{text} of series {n} at {at - T}: {value}, not {expected}; {[(t - T, v) for t, v in samples]}"
            )


@settings(
    max_examples=8,
    deadline=None,
    phases=_PHASES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    series=st.lists(_series(), min_size=1, max_size=8),
    range_ms=st.sampled_from([15_000, 45_000, 60_000, 300_000]),
    step_ms=st.sampled_from([15_000, 20_000, 60_000]),
    offset_ms=st.sampled_from([0, 0, 30_000, -45_000]),
)
def test_windows_are_as_the_slow_reference_says(store, ask, series, range_ms, step_ms, offset_ms) -> None:
    """Rate with its extrapolation, least squares, every *_over_time; resets, gaps, stale markers, offsets."""
    fill = SamplesFiller(store)
    for n, samples in enumerate(series):
        fill("m", [(t / 1000, value) for t, value in samples], {"n": str(n)})
    steps = (T, T + 600_000, step_ms)
    selector = f"m[{range_ms}ms]" + (f" offset {offset_ms}ms" if offset_ms else "")
    try:
        for call, function in reference.FUNCTIONS.items():
            _compared(
                ask, call.format(selector), series, steps, _windowed(function, range_ms, offset_ms, call)
            )
    finally:
        fill.empty()


def _windowed(function, range_ms: int, offset_ms: int, call: str):
    def _wanted(samples, at: int) -> float | None:
        end = at - offset_ms
        seen = reference.window(samples, end, range_ms)
        return function(seen, at if call.startswith("predict") else end, range_ms)

    return _wanted


@settings(
    max_examples=12,
    deadline=None,
    phases=_PHASES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    series=st.lists(_series(), min_size=1, max_size=8),
    step_ms=st.sampled_from([1_000, 15_000, 60_000]),
    lookback_ms=st.sampled_from([15_000, 300_000]),
)
def test_the_lookback_is_as_the_slow_reference_says(store, ask, series, step_ms, lookback_ms) -> None:
    """The last sample of five minutes, or of what the question says; stale markers."""
    fill = SamplesFiller(store)
    for n, samples in enumerate(series):
        fill("m", [(t / 1000, value) for t, value in samples], {"n": str(n)})

    def _asked(text: str, start: float, end: float, step: float) -> object:
        return ask(text, start, end, step, lookback_ms=lookback_ms)

    try:
        _compared(
            _asked, "m", series, (T, T + 400_000, step_ms), lambda s, at: reference.last(s, at, lookback_ms)
        )
    finally:
        fill.empty()


@pytest.mark.parametrize("call", ["rate({})", "avg_over_time({})", "max_over_time({})", "deriv({})"])
def test_a_subquery_is_a_window_over_its_own_grid(fill, ask, call) -> None:
    """Its points are whole steps since the epoch, whatever the question's own are."""
    samples = [(T + 15_000 * n, float(n * n % 17)) for n in range(60)]
    fill("m", [(t / 1000, value) for t, value in samples])
    at, step = T + 700_123, 40_000
    start = at - 300_000
    inner = [
        (t, reference.last(samples, t, 300_000)) for t in range((start // step + 1) * step, at + 1, step)
    ]

    answer = ask(call.format("m[5m:40s]"), at / 1000)

    assert answer.series[0].points[0][1] == pytest.approx(
        reference.FUNCTIONS[call]([(t, v) for t, v in inner if v is not None], at, 300_000)
    )
