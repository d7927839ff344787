"""
The composition root: the only place where sources, processors, spool, exporter and reports meet.

Starting order is from the collector's end to the sources' (nothing is read before it can be kept); stopping goes the
other way: sources hand over what is there, the exporter drains, the books are saved, the last report goes out.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents import data_dir
from agents.access import Access
from agents.errors import SpoolUnavailable, WrongSetting
from agents.exporter import Exporter
from agents.intake import Intake
from agents.keeper import Keeper
from agents.ledger import Ledger
from agents.own_log import log
from agents.own_transitions import OwnTransitions
from agents.processors import Redactions
from agents.processors.shaper import ShaperFactory, shapers
from agents.quarantine import Quarantine
from agents.reports import Reporter
from agents.retries import Retries
from agents.route import Route
from agents.settings_values import Settings
from agents.sources import Origin, Source, measuring
from agents.spool import Spool

if TYPE_CHECKING:
    from agents.child import Child
    from agents.metrics import MetricsServer, Watched
    from agents.sources.command import CommandSource
    from agents.sources.relay import RelaySource

LAST_REPORT_S = 5.0  # without it the counters of the last moments are lost; a busy machine may stand still for a second or two
DISK_RETRY_S = 0.1


@dataclass(frozen=True, slots=True)
class Parts:
    """What every source may need."""

    settings: Settings
    origin: Origin
    intake: Intake
    ledger: Ledger
    shapers: ShaperFactory


class Pipeline:
    """A whole agent, not yet started."""

    def __init__(self, settings: Settings) -> None:
        """
        Open the data directory and recover what is there.

        Raises:
            WrongSetting: The data directory, or the relay's address, is not ours to use.
            SpoolUnavailable: What is in the data directory cannot be read or written.
        """
        self._settings = settings
        self._lock = data_dir.locked(settings.data_dir)
        self.ledger = Ledger(settings.data_dir / "checkpoint.json")
        self.spool = Spool(
            settings.data_dir / "spool",
            self.ledger,
            settings.spool.max_bytes,
            settings.spool.when_full,
            settings.spool.max_age_s,
        )
        self._keeper = Keeper(self.ledger, self.spool)
        self.spool.on_pressure = self._keeper.press
        self.redactions = Redactions()
        self._stopping = threading.Event()
        self.parts = self._made_parts(settings, self._stopping)
        access = Access(settings)
        self._transitions = OwnTransitions(
            settings, self.parts.origin, self.parts.intake, self.ledger, settings.data_dir / "breakers.json"
        )
        self._route = Route(
            settings.collector,
            settings.breaker,
            self.ledger,
            self._transitions.changed,
            self._transitions.opened(),
        )
        self.quarantine = Quarantine(settings.data_dir / "quarantine")
        self.exporter = Exporter(self.spool, self.ledger, self._route, self.quarantine, access)
        self._retries = Retries(self.quarantine, self.exporter.send_again)
        self.exporter.on_success = self._transitions.ship
        self._reporter = Reporter(settings, self.ledger, self.spool, self._route, access, self.lag_bytes)
        self._reporter.on_success = self._transitions.ship
        self.sources: list[Source] = _sources(self.parts, None)
        self._metrics = self._metrics_server(settings)

    def start(self) -> None:
        """Begin: keep, send, report, read."""
        self._keeper.start()
        self.exporter.start()
        self._reporter.start()
        self._retries.start()
        for source in self.sources:
            source.start()
        if self._metrics is not None:
            self._metrics.start()
        log("info", "agent_started", agent=self.ledger.agent, collector=self._settings.collector)

    def stop(self) -> None:
        """Drain and end; what could not be sent in ``drain_s`` waits on disk for the next start."""
        self._stopping.set()
        for source in self.sources:
            source.stop()
        self._retries.stop()
        emptied = self.exporter.drain(self._settings.drain_s)
        self._keeper.stop()
        self._reporter.stop(LAST_REPORT_S)
        if self._metrics is not None:
            self._metrics.stop()
        log("info", "agent_stopped", drained=emptied)

    def reload(self, settings: Settings, is_stopping: Callable[[], bool]) -> None:
        """
        Go on under other settings, without losing or repeating a line.

        What may refuse is tried first. Then the sources are stopped, what they have handed over is made durable, and new
        ones take up where the ledger says. A relay at the same address stays, with its connections, and so does what measures
        under the same settings.

        Raises:
            WrongSetting: They cannot be taken; everything goes on as before.
        """
        if settings.data_dir != self._settings.data_dir:
            raise WrongSetting(
                "data_dir", f"{str(settings.data_dir)!r} cannot be taken by a running agent: start it anew"
            )
        metrics = self._metrics
        if settings.metrics_listen != self._settings.metrics_listen:
            metrics = self._metrics_server(settings)
        try:
            self._replace_sources(settings, is_stopping)
        except WrongSetting:
            if metrics is not None and metrics is not self._metrics:
                metrics.stop()
            raise
        self._replace_metrics(metrics)
        access = Access(settings)
        self.spool.reconfigure(settings.spool)
        self._transitions.reconfigure(settings, self.parts.origin)
        self.exporter.reconfigure(access)
        self._route.reconfigure(settings.collector, settings.breaker)
        self._reporter.reconfigure(settings, access)
        self._settings = settings
        log("info", "settings_reloaded", collector=settings.collector)

    def _replace_sources(self, settings: Settings, is_stopping: Callable[[], bool]) -> None:
        """Stop the sources, then start those of *settings*; none when we are to stop before the disk takes what was read."""
        stopping = threading.Event()
        parts = self._made_parts(settings, stopping)
        relay = self._relay_for(parts)
        kept = measuring.kept(self.sources, settings, parts.origin)
        kept += [source for source in self.sources if source is relay]
        self._stopping.set()
        for source in self.sources:
            if source not in kept:
                source.stop()
        self.sources, self.parts, self._stopping = kept, parts, stopping
        while not self._is_synced():
            if is_stopping():
                return
            time.sleep(DISK_RETRY_S)
        if relay is not None:
            relay.adopt(settings.relay, parts.origin, parts.intake)
        sources = _sources(parts, relay, kept)
        for source in sources:
            if source not in kept:
                source.start()
        self.sources = sources

    def _relay_for(self, parts: Parts) -> "RelaySource | None":
        """Give the relay that we have if it may stay, else a new one, which has its address already."""
        settings = parts.settings.relay
        if settings.listen is None:
            return None
        from agents.sources.relay import RelaySource

        for source in self.sources:
            if isinstance(source, RelaySource) and source.listen == settings.listen:
                return source
        return RelaySource(settings, parts.origin, parts.intake, self.ledger)

    def _replace_metrics(self, metrics: "MetricsServer | None") -> None:
        if metrics is self._metrics:
            return
        if self._metrics is not None:
            self._metrics.stop()
        if metrics is not None:
            metrics.start()
        self._metrics = metrics

    def _is_synced(self) -> bool:
        try:
            self.spool.sync()
        except SpoolUnavailable:
            return False
        return True

    def _made_parts(self, settings: Settings, stopping: threading.Event) -> Parts:
        return Parts(
            settings,
            Origin(self.ledger.agent, settings.resource),
            Intake(self.spool, stopping),
            self.ledger,
            shapers(settings, self.redactions),
        )

    def _metrics_server(self, settings: Settings) -> "MetricsServer | None":
        """
        Bind the address of our own metrics, if there is one.

        Raises:
            WrongSetting: It is taken.
        """
        if settings.metrics_listen is None:
            return None
        from agents.metrics import MetricsServer

        host, port = settings.metrics_listen
        try:
            return MetricsServer(settings.metrics_listen, self._watched())
        except OSError as error:
            raise WrongSetting("metrics_listen", f"'{host}:{port}' cannot be bound: {error}") from error

    def _watched(self) -> "Watched":
        from agents.metrics import Watched

        return Watched(
            self.ledger,
            self.spool,
            self.exporter,
            self._route,
            self._reporter,
            self.quarantine,
            self._transitions,
            self.redactions,
            self.lag_bytes,
            lambda: sum(getattr(source, "turned_away", 0) for source in self.sources),
        )

    def follow(self, child: "Child", name: str) -> "CommandSource":
        """Ship the output of *child*, whose program is *name*, as one more source; to be called after ``start``."""
        from agents.sources.command import CommandSource

        parts = self.parts
        may_wait = parts.settings.spool.when_full == "block"
        source = CommandSource(child, name, parts.origin, parts.intake, parts.shapers, may_wait=may_wait)
        self.sources.append(source)
        source.start()
        return source

    def lag_bytes(self) -> int:
        """Give the bytes that sources could hand over and have not."""
        return sum(source.lag_bytes() for source in self.sources)


def _sources(parts: Parts, relay: "RelaySource | None", running: Sequence[Source] = ()) -> list[Source]:
    """Make the sources that are asked for, but for those that run already; the others are not even imported (resident memory)."""
    settings = parts.settings
    sources: list[Source] = []
    if settings.files or settings.node.enabled:
        from agents.sources.files import FilesSource, watches

        watched = watches(settings.files, parts.origin)
        if settings.node.enabled:
            from agents.sources.node_logs import watches as node_watches

            watched += node_watches(settings.node, parts.origin)
        sources.append(
            FilesSource(watched, parts.intake, parts.ledger, parts.shapers, settings.max_open_files)
        )
    sources += measuring.sources(settings, parts.origin, parts.intake, parts.ledger, running)
    if settings.relay.listen:
        from agents.sources.relay import RelaySource

        sources.append(relay or RelaySource(settings.relay, parts.origin, parts.intake, parts.ledger))
    return sources
