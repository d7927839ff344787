"""What goes on by itself: breakers' present states and alerts, the canary, jobs, the bound of the disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from collector import wiring
from collector.alerting.kinds.asking import Sources
from collector.alerting.service import Alerting
from collector.app.ground import Ground
from collector.canary.memory import Memory
from collector.canary.watch import Canary
from collector.catalogue.book import Book
from collector.engine.process import Engine
from collector.engine.remote import Server
from collector.formats import registry as formats
from collector.formats.lines import receive as formats_lines
from collector.jobs.breaker_states import BREAKER_STATES
from collector.jobs.calls import CALLS
from collector.jobs.entries import ENTRIES
from collector.jobs.messages import MESSAGES
from collector.jobs.progress import Progress
from collector.jobs.runner import Jobs
from collector.journal.attendance import wait_loaded
from collector.load.waiting import unloaded, unloaded_of
from collector.metrics import CanaryMetrics, DiskMetrics, JobMetrics
from collector.read.present import Present
from collector.read.sql import Reader
from collector.sql.console import Console
from collector.store.budget import DiskBudget


def present(ground: Ground) -> Present:
    """Make what holds the breakers' states as they are now."""
    return Present(
        ground.store,
        time.time_ns,
        wiring.query_limits(ground.settings),
        mark=ground.store.mark,
        attend=lambda: wait_loaded(ground.journal, formats.groups_of(("logs", "traces", "metrics"))),
    )


def alerting(
    ground: Ground,
    states: Present,
    catalogue: Book,
    console: Console,
    own: Callable[[], Mapping[str, Any]],
) -> Alerting:
    """
    Make the alerting; *own* says how the collector's own pipeline is.

    Raises:
        FuseboardError: A rule file or receiver is wrong.
    """
    settings, store = ground.settings, ground.store
    unloaded_ns = unloaded_of(ground.journal, ground.loader, formats.groups_of)
    return Alerting(
        wiring.alerting(settings),
        state=ground.state,
        breakers=states,
        registry=ground.metrics,
        holder=ground.journal.uuid,
        sources=Sources(
            lambda: Reader(store, limits=wiring.rule_limits(settings), unloaded_ns=unloaded_ns),
            states=states.states if isinstance(ground.engine, Engine) else None,
            sql=console.ask,
            own=own,
            attend=lambda signals: wait_loaded(ground.journal, formats.groups_of(signals)),
            slos=catalogue.slos,
        ),
        on_call=catalogue.receivers,
    )


def canary(ground: Ground, secret: str) -> Canary:
    """Make the canary, whose lines are sent with *secret* as their key; empty = with none."""
    group = formats_lines.PROTOCOL.group
    return Canary(
        Memory(ground.state, ground.journal.uuid),
        ground.store,
        CanaryMetrics(ground.metrics),
        ground.settings.canary_interval_s,
        unloaded(ground.journal, ground.loader, group),
        secret,
        partial(wait_loaded, ground.journal, {group}),
    )


def jobs(ground: Ground) -> Jobs:
    """Make what derives rows of rows."""
    return Jobs(
        (CALLS, MESSAGES, ENTRIES, BREAKER_STATES),
        ground.store,
        Progress(ground.state, ground.journal.uuid),
        unloaded_of(ground.journal, ground.loader, formats.groups_that_fill),
        JobMetrics(ground.metrics),
        loads=lambda table: sum(map(ground.loader.loads, formats.groups_that_fill(table))),
    )


def disk(ground: Ground) -> DiskBudget | None:
    """Make the bound of the embedded engine's disk; ``None`` = a server has its own."""
    if isinstance(ground.engine, Server):
        return None
    settings, path = ground.settings, ground.settings.data_dir.resolve() / "engine"
    return DiskBudget(
        ground.store, path, settings.disk_max_bytes, settings.disk_free_bytes, DiskMetrics(ground.metrics)
    )
