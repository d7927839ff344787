"""
What PromQL costs: milliseconds and engine CPU of typical questions, beside reading the same samples and nothing else.

    python benchmarks/promql.py [--series 1000] [--others 4] [--hours 6] [--rounds 7]

One metric of that many series among *others* times as many of another name, ids spread as hashes are, a sample each 15 s for a day, one part.
The baseline is the sum of the values that ``sum by (service) (rate(x[5m]))`` reads: what no way of answering can do without.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from collector.engine.process import Engine
from collector.query.promql.grid import sql_ms
from collector.read import metrics
from collector.read.sql import Reader
from collector.store.client import Store
from collector.store.migrate import migrate

_DAY_MS = 86_400_000
_START_MS = 1_795_046_400_000 // _DAY_MS * _DAY_MS
_STEP_MS = 15_000
_SERIES = """
INSERT INTO metric_series (series_id, name, type, temporality, service, env, labels, first_seen, last_seen)
SELECT cityHash64(number), if(number < {series:UInt64}, 'x_total', 'other_total'), 'counter', 'cumulative', concat('svc', toString(number % 20)), 'prod',
map('job', concat('svc', toString(number % 20)), 'instance', toString(number), 'path', '/api/v1/orders', 'code', '200'),
fromUnixTimestamp64Milli({start:Int64}), fromUnixTimestamp64Milli({start:Int64} + 86400000)
FROM numbers({total:UInt64})
"""
_SAMPLES = """
INSERT INTO metric_samples (series_id, at, value, retention_days)
SELECT cityHash64(number % {total:UInt64}), fromUnixTimestamp64Milli(toInt64({start:Int64} + intDiv(number, {total:UInt64}) * {step:Int64} + cityHash64(number) % 1000)),
intDiv(number, {total:UInt64}) * (number % {total:UInt64} % 17 + 1.5), 3000
FROM numbers({total:UInt64} * {each:UInt64})
"""
_BASELINE = """
SELECT sum(value) AS total FROM metric_samples
PREWHERE series_id IN (SELECT series_id FROM metric_series WHERE name = 'x_total') AND at > {from:DateTime64(3, 'UTC')} AND at <= {until:DateTime64(3, 'UTC')}
LIMIT 1
"""


def main() -> None:
    """Fill a database and ask it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--others", type=int, default=4)
    parser.add_argument("--hours", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Path(folder) / "db")
        engine.start()
        try:
            while engine.state.state != "up":
                time.sleep(0.05)
            store = Store(engine.target)
            migrate(store)
            fill(store, options.series, options.series * (options.others + 1))
            report(store, engine, options)
        finally:
            engine.stop()


def fill(store: Store, series: int, total: int) -> None:
    """Insert a day of samples, one part."""
    shared = {"start": _START_MS, "total": total}
    store.command(_SERIES, {**shared, "series": series})
    params = {**shared, "step": _STEP_MS, "each": _DAY_MS // _STEP_MS}
    store.command(_SAMPLES, params, {"max_partitions_per_insert_block": 0})
    store.command("OPTIMIZE TABLE metric_samples FINAL")


def report(store: Store, engine: Engine, options: argparse.Namespace) -> None:
    """Print a line per question."""
    until = _START_MS + 20 * 3_600_000
    start = until - options.hours * 3_600_000
    asked: dict[str, Callable[[], object]] = {
        "baseline: those samples, summed": lambda: store.query(
            _BASELINE, {"from": sql_ms(start - 300_000), "until": sql_ms(until)}
        )
    }
    for text, step in (
        ("sum by (service) (rate(x_total[5m]))", 15_000),
        ("sum by (service) (rate(x_total[5m]))", 60_000),
        ("sum by (job) (x_total) / sum by (job) (x_total)", 60_000),
        ("topk(5, rate(x_total[5m]))", 60_000),
        ("quantile_over_time(0.9, x_total[5m])", 60_000),
    ):
        asked[f"{text} step {step // 1000} s"] = lambda text=text, step=step: metrics.range_query(
            Reader(store), text, start, until, step
        )
    for text in ('x_total{instance="7"}', 'rate(x_total{instance=~"1."}[5m])', "sum(x_total)"):
        asked[f"{text} instant"] = lambda text=text: metrics.instant(Reader(store), text, until)
    base = None
    for name, ask in asked.items():
        wall_ms, cpu_ms = _measured(ask, engine, options.rounds)
        base = base or cpu_ms
        print(f"{name:60} p50 {wall_ms:7.1f} ms   engine {cpu_ms:7.1f} CPU-ms   {cpu_ms / base:5.2f} x")


def _measured(ask: Callable[[], object], engine: Engine, rounds: int) -> tuple[float, float]:
    walls = []
    ask()
    before = _cpu_ms(engine)
    for _ in range(rounds):
        began = time.perf_counter()
        ask()
        walls.append((time.perf_counter() - began) * 1000)
    return statistics.median(walls), max(_cpu_ms(engine) - before, 1) / rounds


def _cpu_ms(engine: Engine) -> float:
    fields = Path(f"/proc/{engine.state.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 10.0


if __name__ == "__main__":
    main()
