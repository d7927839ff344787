"""
A round of many rules with many active alerts: how long it takes, and what it costs.

::

    python -m benchmarks.alerting --rules 1000 --alerts 10000
    python -m benchmarks.alerting --shapes          # what a rule of each shape costs: by a statement of its own, and with fifty of its kind

A real engine in a child process holds the series of a hundred services or more (``rules.py``); the rules are of twenty shapes, half of which fire, for as many
services as make up the alerts, and one in a hundred asks by a statement of its own. In the first two rounds all groups are due at once, as after a pause: the first
begins every alert (writes each, and an event per receiver if one is asked for), the second finds them all again. Then 15 s go by as they are lived, each group at
its place. The ticks are the look at the breakers that happens every second while alerts are active. Printed: wall and CPU seconds of this process and of the
engine, and this process's peak memory.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
import yaml
from prometheus_client import CollectorRegistry

from benchmarks.rules import SHAPES, expression, fill, groups
from collector.alerting import Alerting, AlertingSettings
from collector.alerting.evaluation.settings import GroupSettings
from collector.alerting.kinds.asking import Sources
from collector.engine.process import Engine
from collector.query.promql.instants import Plan, plan
from collector.query.promql.syntax import parse
from collector.read.leaves import Asked, bring
from collector.read.metrics import LOOKBACK_MS, instant
from collector.read.sql import Reader
from collector.state import State
from collector.store.client import Store
from collector.store.migrate import migrate


class NoBreakers:
    """There are none."""

    def current(self) -> list[object]:
        """Give none."""
        return []


def cpu_s(pid: int) -> float:
    """Give the CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> None:
    """Run it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=1000)
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--shapes", action="store_true")
    asked = parser.parse_args()
    # half of the rules fire, each at most once per service
    asked.services = max(asked.services, 2 * asked.alerts // asked.rules + 1)
    with TemporaryDirectory(prefix="alerting-") as folder:
        (measure_shapes if asked.shapes else measure)(Path(folder), asked)


def started(folder: Path, services: int, now: datetime) -> tuple[Engine, Store]:
    """Start an engine with samples."""
    engine = Engine(folder / "engine")
    engine.start()
    while engine.state.state != "up":
        time.sleep(0.05)
    store = Store(engine.target)
    migrate(store)
    fill(store, services, now)
    return engine, store


def measure_shapes(folder: Path, asked: argparse.Namespace) -> None:
    """Print CPU milliseconds per rule, both processes', of each shape."""
    now = datetime.now(UTC).replace(microsecond=0)
    engine, store = started(folder, asked.services, now)
    pid, at_ms = engine.state.pid or 0, int(now.timestamp() * 1000)

    def cpu_ms(run: Callable[[], object], rules: int) -> float:
        run()
        began = time.process_time() + cpu_s(pid)
        run()
        run()
        return (time.process_time() + cpu_s(pid) - began) / 2 / rules * 1000

    print(f"{'shape':24} {'alone':>8} {'of 50':>8}   CPU-ms per rule")
    for name, text in SHAPES.items():
        texts = [expression(text, number, 20) for number in range(50)]
        plans = [made for one in texts if (made := plan(parse(one), LOOKBACK_MS)) is not None]

        def alone(texts: list[str] = texts) -> None:
            for one in texts[:5]:
                instant(Reader(store), one, at_ms)

        def together(plans: list[Plan] = plans) -> None:
            leaves = bring(Reader(store), [Asked(one, at_ms) for one in plans])
            for one in plans:
                leaves.run(one, at_ms)

        print(f"{name:24} {cpu_ms(alone, 5):8.1f} {cpu_ms(together, 50):8.1f}")
    engine.stop()


def measure(folder: Path, asked: argparse.Namespace) -> None:
    """Measure in *folder*."""
    now = datetime.now(UTC).replace(microsecond=0)
    engine, store = started(folder, asked.services, now)
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups(asked.rules, asked.alerts)}))
    clock = [now]
    state = State(f"sqlite:///{folder / 'state.db'}")
    alerting = Alerting(
        AlertingSettings(
            rule_files=(str(folder / "rules.yaml"),),
            groups=GroupSettings(offset_s=0, at_once=asked.at_once),
        ),
        state=state,
        breakers=NoBreakers(),
        registry=CollectorRegistry(),
        holder="bench",
        sources=Sources(lambda: Reader(store)),
        clock=lambda: clock[0],
    )
    pid = engine.state.pid or 0
    print(f"{asked.rules} rules, {asked.alerts} alerts, {asked.at_once} questions at once")

    def in_turn() -> None:
        """Let an interval pass as the thread does that looks twice a second: each group at its place."""
        for _ in range(30):
            clock[0] += timedelta(seconds=0.5)
            alerting.ask_due()

    for name, run in (
        ("first round", alerting.ask_due),
        ("next round", alerting.ask_due),
        ("in 15 s", in_turn),
        ("tick", alerting.look),
        ("tick after", alerting.look),
    ):
        began, mine, its = time.monotonic(), time.process_time(), cpu_s(pid)
        run()
        took = time.monotonic() - began
        print(
            f"{name:12} {took:6.2f} s wall, {time.process_time() - mine:6.2f} CPU-s here, {cpu_s(pid) - its:6.2f} CPU-s engine"
        )
        clock[0] += timedelta(seconds={"first round": 15, "next round": 0}.get(name, 1))
    told = [rule for rule in alerting.rules() if rule["last_error"]]
    living = sum(sum(rule["alerts"].values()) for rule in alerting.rules())
    print(f"{living} active alerts, {len(told)} rules failed {told[:1]}")
    print(f"peak memory here {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    alerting.stop()
    state.close()
    engine.stop()


if __name__ == "__main__":
    main()
