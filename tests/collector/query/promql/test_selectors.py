import pytest

from collector.read.metrics import MetricAnswer
from tests.collector.query.promql.samples import STALE

T = 1_795_000_000


def _values(answer: MetricAnswer) -> dict[tuple[tuple[str, str], ...], list[float]]:
    return {tuple(one.labels.items()): [value for _, value in one.points] for one in answer.series}


def test_a_selector_gives_the_last_sample_within_the_lookback(fill, ask) -> None:
    """The window is open on its left: a sample exactly five minutes old is gone."""
    fill("up", [(T, 1.0), (T + 60, 2.0)], {"job": "a"})

    assert _values(ask("up", T + 61)) == {(("__name__", "up"), ("job", "a")): [2.0]}
    assert ask("up", T + 360).series == []
    assert ask("up", T + 359.999).series[0].points == [((T + 360) * 1000 - 1, 2.0)]


def test_a_stale_marker_ends_a_series(fill, ask) -> None:
    """After it there is no value, though older samples lie within the lookback."""
    fill("up", [(T, 1.0), (T + 60, STALE), (T + 120, 3.0)])

    assert [at - T * 1000 for at, _ in ask("up", T, T + 150, 30).series[0].points] == [
        0,
        30_000,
        120_000,
        150_000,
    ]


def test_series_ids_of_the_same_labels_are_one_series(fill, ask) -> None:
    """A label order that changed between two scrapes does not break a counter in two."""
    fill("c_total", [(T, 1.0), (T + 60, 2.0)], {"a": "b"}, series_id=7)
    fill("c_total", [(T + 120, 3.0), (T + 180, 4.0)], {"a": "b"}, series_id=8)

    assert _values(ask("increase(c_total[3m1ms])", T + 180)) == {(("a", "b"),): [3.0 * 180.001 / 180]}


def test_services_of_the_same_labels_stay_apart(fill, ask) -> None:
    """What labels do not tell apart, service and env do."""
    fill("x", [(T, 1.0)], {"a": "b"}, service="one", env="prod")
    fill("x", [(T, 2.0)], {"a": "b"}, service="two", env="prod")

    assert [(one.labels["service"], one.points[0][1]) for one in sorted(ask("x", T).series, key=str)] == [
        ("one", 1),
        ("two", 2),
    ]


def test_sum_by_rate_over_a_range(fill, ask) -> None:
    """The question dashboards ask most."""
    for instance in "ab":
        fill("c_total", [(T + 15 * i, 30.0 * i) for i in range(41)], {"job": "j", "instance": instance})

    answer = ask("sum by (job) (rate(c_total[1m]))", T + 300, T + 600, 60)

    assert _values(answer) == {(("job", "j"),): pytest.approx([4.0] * 6)}
    assert answer.type == "matrix"


def test_a_delta_series_is_summed_never_treated_as_a_counter(fill, ask) -> None:
    """Its samples are increments: falling ones are no resets."""
    fill("d_total", [(T + 10, 5.0), (T + 20, 3.0), (T + 30, 4.0)], temporality="delta")

    assert ask("increase(d_total[1m])", T + 60).series[0].points[0][1] == 12.0
    assert ask("rate(d_total[1m])", T + 60).series[0].points[0][1] == 0.2
