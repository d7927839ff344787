"""
A collector, built and connected: the order of starting and of ending.

Order of starting: engine, journal (recovers, hands sealed segments to the loader), alerting; of ending: the reverse, draining the
journal into ClickHouse first.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from collector import wiring
from collector.access import Access
from collector.alerting.service import Alerting
from collector.canary.watch import Canary
from collector.engine.process import Engine
from collector.engine.remote import Server
from collector.jobs.runner import Jobs
from collector.journal.writer import Journal
from collector.listeners import Listeners
from collector.load.loader import Loader
from collector.pipeline import Pipeline
from collector.receive.guard import App
from collector.settings import Settings
from collector.state import State
from collector.store.budget import DiskBudget
from collector.store.client import Store
from collector.tail import Tail

log = structlog.get_logger()


@dataclass(slots=True)
class Collector:
    """Every part, built and connected, not yet started."""

    settings: Settings
    engine: Engine | Server
    store: Store
    journal: Journal
    loader: Loader
    alerting: Alerting
    state: State
    pipeline: Pipeline
    canary: Canary
    access: Access
    jobs: Jobs
    disk: DiskBudget | None
    tail: Tail
    asgi: App
    listeners: Listeners
    own_secret: str

    def listening(self, host: str, port: int) -> None:
        """Tell those who send to ourselves where we listen: the canary, and recording rules."""
        self.canary.listen(host, port)
        self.alerting.listen(host, port, wiring.recording_secret(self.own_secret))

    def start(self) -> None:
        """Start engine, journal, loader and alerting; returns before the engine is up."""
        self.engine.start()
        self.access.start()
        if self.disk is not None:
            self.disk.start()
        self.journal.start()
        self.alerting.start()
        self.jobs.start()

    def stop(self) -> None:
        """Make everything durable, load what can be loaded in ``drain_s``, end the engine."""
        self.canary.stop()
        self.jobs.stop()
        if self.disk is not None:
            self.disk.stop()
        self.alerting.stop()
        self.journal.seal()
        self.loader.stop(self.settings.drain_s)
        self.journal.stop()
        self.access.stop()
        self.state.close()
        self.engine.stop()
        log.info("collector_stopped", segments_waiting=self.loader.waiting[0])
