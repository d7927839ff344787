"""
A round of many rules with many active alerts: how long it takes, and what it costs.

::

    python benchmarks/alerting.py --rules 1000 --alerts 10000

A real engine in a child process holds one series per metric and service; each rule is an expression of its own, and fires for as many services as make up the
alerts. Round 1 begins every alert (writes each, and an event per receiver if one is asked for), round 2 finds them all again, round 3 is the look at the breakers
that happens every second while they are active. Printed: wall and CPU seconds of this process and of the engine, and this process's peak memory.
"""

from __future__ import annotations

import argparse
import resource
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
import yaml
from prometheus_client import CollectorRegistry

from collector.alerting import Alerting, AlertingSettings
from collector.alerting.evaluation.settings import GroupSettings
from collector.alerting.kinds.asking import Sources
from collector.engine.process import Engine
from collector.read.sql import Reader
from collector.state import State
from collector.store.client import Store
from collector.store.migrate import migrate

METRICS = 100


class NoBreakers:
    """There are none."""

    def current(self) -> list[object]:
        """Give none."""
        return []


def fill(store: Store, services: int, now: datetime) -> None:
    """Write ten minutes of samples every 15 s; the value is the number of the service."""
    at = now.strftime("%Y-%m-%d %H:%M:%S")
    store.command(
        "INSERT INTO metric_series (series_id, name, type, service, env, labels, first_seen, last_seen) "
        f"SELECT number AS id, 'load_' || toString(id % {METRICS}), 'gauge', 'service-' || toString(intDiv(id, {METRICS})), 'prod', "
        f"map('service_name', 'service-' || toString(intDiv(id, {METRICS}))), toDateTime64('{at}', 3, 'UTC') - 600, toDateTime64('{at}', 3, 'UTC') "
        f"FROM numbers({METRICS * services})"
    )
    store.command(
        "INSERT INTO metric_samples (series_id, at, value, retention_days) "
        f"SELECT intDiv(number, 40) AS id, toDateTime64('{at}', 3, 'UTC') - 15 * (number % 40), intDiv(id, {METRICS}), 3000 "
        f"FROM numbers({METRICS * services * 40})"
    )


def write_rules(path: Path, rules: int, each: int) -> None:
    """Write *rules* expressions in groups of 20, each of which fires for *each* services."""
    made = [
        {
            "alert": f"Load{number}",
            "expr": f"avg by (service_name) (avg_over_time(load_{number % METRICS}[{5 + number // METRICS}m])) < {each}",
            "labels": {"severity": "ticket"},
            "annotations": {"summary": "{{ $labels.service_name }}: {{ $value | humanize }}"},
        }
        for number in range(rules)
    ]
    groups = [
        {"name": f"g{start}", "rules": made[start : start + 20], "interval": "15s"}
        for start in range(0, rules, 20)
    ]
    path.write_text(yaml.safe_dump({"groups": groups}))


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
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="alerting-") as folder:
        measure(Path(folder), asked)


def measure(folder: Path, asked: argparse.Namespace) -> None:
    """Measure in *folder*."""
    engine = Engine(folder / "engine")
    engine.start()
    while engine.state.state != "up":
        time.sleep(0.05)
    store = Store(engine.target)
    migrate(store)
    now = datetime.now(UTC).replace(microsecond=0)
    fill(store, asked.services, now)
    write_rules(folder / "rules.yaml", asked.rules, asked.alerts // asked.rules)
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
    for name, run in (
        ("first round", alerting.ask_due),
        ("next round", alerting.ask_due),
        ("tick", alerting._tick),  # noqa: SLF001 - what its thread does
        ("tick after", alerting._tick),  # noqa: SLF001
    ):
        began, mine, its = time.monotonic(), time.process_time(), cpu_s(pid)
        run()
        took = time.monotonic() - began
        print(
            f"{name:12} {took:6.2f} s wall, {time.process_time() - mine:6.2f} CPU-s here, {cpu_s(pid) - its:6.2f} CPU-s engine"
        )
        clock[0] += timedelta(seconds=1 if name == "tick" else 15)
    told = [rule for rule in alerting.rules() if rule["last_error"]]
    living = sum(sum(rule["alerts"].values()) for rule in alerting.rules())
    print(f"{living} active alerts, {len(told)} rules failed {told[:1]}")
    print(f"peak memory here {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    alerting.stop()
    state.close()
    engine.stop()


if __name__ == "__main__":
    main()
