"""
The composition root: the only place where sources, processors, spool, exporter and reports meet.

Starting order is from the collector's end to the sources' (nothing is read before it can be kept); stopping goes the
other way: sources hand over what is there, the exporter drains, the books are saved, the last report goes out.
"""

import fcntl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from agents.access import Access
from agents.errors import WrongSetting
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
from agents.route import Route
from agents.settings_values import Settings
from agents.sources import Origin, Source
from agents.spool import Spool

if TYPE_CHECKING:
    from agents.metrics import MetricsServer
    from agents.sources.command import CommandSource

LAST_REPORT_S = 2.0


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
        self._stopping = threading.Event()
        self._lock = _locked(settings.data_dir)
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
        origin = Origin(self.ledger.agent, settings.resource)
        self.parts = Parts(
            settings,
            origin,
            Intake(self.spool, self._stopping),
            self.ledger,
            shapers(settings, self.redactions),
        )
        access = Access(settings)
        self._transitions = OwnTransitions(
            settings, origin, self.parts.intake, self.ledger, settings.data_dir / "breakers.json"
        )
        self._route = Route(
            settings.collector,
            settings.breaker,
            self.ledger,
            self._transitions.changed,
            self._transitions.opened(),
        )
        quarantine = Quarantine(settings.data_dir / "quarantine")
        self.exporter = Exporter(self.spool, self.ledger, self._route, quarantine, access)
        self.exporter.on_success = self._transitions.ship
        self._reporter = Reporter(settings, self.ledger, self.spool, self._route, access, self.lag_bytes)
        self._reporter.on_success = self._transitions.ship
        self.sources: list[Source] = _sources(self.parts)
        self._metrics = self._metrics_server()

    def start(self) -> None:
        """Begin: keep, send, report, read."""
        self._keeper.start()
        self.exporter.start()
        self._reporter.start()
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
        emptied = self.exporter.drain(self._settings.drain_s)
        self._keeper.stop()
        self._reporter.stop(LAST_REPORT_S)
        if self._metrics is not None:
            self._metrics.stop()
        log("info", "agent_stopped", drained=emptied)

    def _metrics_server(self) -> "MetricsServer | None":
        if self._settings.metrics_listen is None:
            return None
        from agents.metrics import MetricsServer

        return MetricsServer(
            self._settings.metrics_listen,
            self.ledger,
            self.spool,
            self.exporter,
            self.lag_bytes,
            self.redactions,
        )

    def run(self, command: list[str]) -> "CommandSource":
        """
        Run *command* as one more source; to be called after ``start``.

        Raises:
            OSError: There is no such program.
        """
        from agents.sources.command import CommandSource

        source = CommandSource(command, self.parts.origin, self.parts.intake, self.parts.shapers)
        self.sources.append(source)
        source.start()
        return source

    def lag_bytes(self) -> int:
        """Give the bytes that sources could hand over and have not."""
        return sum(source.lag_bytes() for source in self.sources)


def _locked(data_dir: Path) -> IO[bytes]:
    """
    Make the data directory ours; the lock goes with the process, however it ends.

    Raises:
        WrongSetting: It cannot be made, or another agent uses it: two would count and delete each other's blocks.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "lock").open("wb")
    except OSError as error:
        raise WrongSetting("data_dir", f"{str(data_dir)!r} cannot be used: {error}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise WrongSetting(
            "data_dir", f"{str(data_dir)!r} is used by another agent: give each its own"
        ) from error
    return lock


def _sources(parts: Parts) -> list[Source]:
    """Make the sources that are asked for; the others are not even imported (resident memory)."""
    settings = parts.settings
    sources: list[Source] = []
    if settings.files or settings.node.enabled:
        from agents.sources.files import FilesSource, watches

        watched = watches(settings.files, parts.origin)
        if settings.node.enabled:
            from agents.sources.node_logs import watches as node_watches

            watched += node_watches(settings.node, parts.origin)
        sources.append(FilesSource(watched, parts.intake, parts.ledger, parts.shapers))
    if settings.scrape:
        from agents.sources.scrape import ScrapeSource

        sources += [
            ScrapeSource(target, parts.origin, parts.intake, parts.ledger) for target in settings.scrape
        ]
    if settings.probe:
        from agents.sources.probe import ProbeSource

        sources += [ProbeSource(asked, parts.origin, parts.intake, parts.ledger) for asked in settings.probe]
    if settings.container.enabled:
        from agents.sources.container import ContainerSource

        sources.append(ContainerSource(settings.container, parts.origin, parts.intake, parts.ledger))
    if settings.node.enabled:
        from agents.sources.node import NodeSource

        sources.append(NodeSource(settings.node, parts.origin, parts.intake, parts.ledger))
    if settings.relay.listen:
        from agents.sources.relay import RelaySource

        sources.append(RelaySource(settings.relay, parts.origin, parts.intake, parts.ledger))
    return sources
