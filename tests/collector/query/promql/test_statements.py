"""The statements behind a few typical questions, letter for letter, and what they read."""

import os
import re
from pathlib import Path

import pytest

from collector.query.promql import Grid, compile_promql, instant
from collector.query.promql.instants import Readings, reading
from collector.query.promql.instants.leaves import LAST

SNAPSHOTS = Path(__file__).parent / "statements"
T = 1_795_000_000_000
HOUR = Grid(T, T + 3_600_000, 60_000)
QUESTIONS = {
    "instant": ('up{job="api",instance!~"a.*"}', instant(T)),
    "rate_by_service": ('sum by (service) (rate(http_requests_total{code=~"5.."}[5m]))', HOUR),
    "ratio": ("sum by (job) (rate(errors_total[5m])) / on (job) sum by (job) (rate(requests_total[5m])) > 0.01", HOUR),
    "latency": ("histogram_quantile(0.95, sum by (le) (rate(latency_seconds_bucket[5m] offset 1h)))", HOUR),
    "subquery": ("max_over_time(rate(jobs_total[1m])[1h:5m])", instant(T)),
}  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_is_one_statement(name) -> None:
    """Letter for letter; ``FUSEBOARD_TEST_WRITE_SNAPSHOTS=1`` writes what is asked now."""
    text, grid = QUESTIONS[name]
    compiled = compile_promql(text, grid)
    snapshot = SNAPSHOTS / f"{name}.sql"
    told = f"-- {text}\n-- {compiled.params}\n{compiled.sql}\n"

    assert told == recorded(snapshot, told)


def recorded(snapshot: Path, told: str) -> str:
    """Give what is recorded, after writing *told* if that is wanted."""
    if os.environ.get("FUSEBOARD_TEST_WRITE_SNAPSHOTS"):
        SNAPSHOTS.mkdir(exist_ok=True)
        snapshot.write_text(told)
    return snapshot.read_text()


READINGS = {
    "reading_last": Readings(LAST, (), 300_000, T, 0),
    "reading_rate": Readings("rate", (), 300_000, T - 60_000, 60_000),
}


@pytest.mark.parametrize("name", READINGS)
def test_the_values_of_many_rules_are_one_statement(name) -> None:
    """Of series three and four, the latter of delta temporality; letter for letter."""
    sql, params = reading(READINGS[name], [3, 4], [4])
    told = f"-- {READINGS[name]}\n-- {params}\n{sql}\n"

    assert told == recorded(SNAPSHOTS / f"{name}.sql", told)


def test_nothing_that_was_typed_stands_in_the_statement() -> None:
    """Names, values, patterns, numbers: all are bound."""
    compiled = compile_promql(
        'label_join(sum by (zz1) (zz2{zz3="zz4",zz5=~"zz6"} > 77.25), "zz7", "zz8", "zz9") or vector(88.5)',
        HOUR,
    )

    assert not re.search(r"zz\d|77\.25|88\.5", compiled.sql)


def test_samples_are_read_by_their_primary_key(store, fill) -> None:
    """The set of series and the time bound both narrow what is read of `metric_samples`."""
    fill("x_total", [(T / 1000, 1.0)])
    compiled = compile_promql("rate(x_total[5m])", instant(T))

    rows = store.query(f"EXPLAIN indexes = 1 {compiled.sql}", compiled.params, compiled.settings).rows

    plan = re.sub(r"[\s│├└─:]+", " ", " ".join(row["explain"] for row in rows))
    samples = plan[plan.index("metric_samples") :]
    assert re.search(r"PrimaryKey Keys series_id at Condition and\(.*series_id in", samples)
    assert "Partition" in samples
    assert re.search(r"metric_series.*PrimaryKey Keys name Condition \(name in", plan)
