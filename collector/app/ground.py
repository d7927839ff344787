"""What every other part stands on: ClickHouse, the journal that is loaded into it, and the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from collector import wiring
from collector.engine.process import Engine
from collector.engine.remote import Server
from collector.formats import registry as formats
from collector.journal.segment import SealedSegment
from collector.journal.settings import JournalSettings
from collector.journal.writer import Journal
from collector.load.archive import MappingArchive
from collector.load.loader import Loader
from collector.metrics import LoadMetrics
from collector.settings import Settings
from collector.state import State
from collector.store.client import Store
from collector.store.migrate import migrate
from collector.store.shard import OneShard

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ground:
    """
    What is there before anything else.

    Attributes:
        data: The directory of settings, made.
        metrics: Where every part declares its own.
    """

    settings: Settings
    data: Path
    metrics: CollectorRegistry
    engine: Engine | Server
    store: Store
    journal: Journal
    loader: Loader
    state: State


def lay(settings: Settings, stored: Callable[[SealedSegment], None]) -> Ground:
    """Connect engine, journal, loader and state; *stored* hears of each segment that every table holds."""
    data = settings.data_dir.resolve()
    data.mkdir(parents=True, exist_ok=True)
    metrics = CollectorRegistry()
    engine, store = _clickhouse(settings)
    journal, loader = _intake(settings, data, store, metrics, stored)
    state = State(
        settings.state.get_secret_value() if settings.state is not None else f"sqlite:///{data / 'state.db'}"
    )
    return Ground(settings, data, metrics, engine, store, journal, loader, state)


def _clickhouse(settings: Settings) -> tuple[Engine | Server, Store]:
    target = wiring.server_target(settings)
    engine: Engine | Server = (
        Engine(settings.data_dir.resolve() / "engine")
        if target is None
        else Server(target, settings.query_timeout_s)
    )
    store = Store(engine.target, settings.query_timeout_s)
    if isinstance(engine, Server) and settings.cluster:
        engine.on_answer = OneShard(settings.data_dir.resolve() / "shard").check
    engine.on_up = lambda reached: _migrated(Store(lambda: reached, settings.query_timeout_s))
    return engine, store


def _migrated(store: Store) -> None:
    applied = migrate(store)
    log.info("schema_ready", applied=applied)


def _intake(
    settings: Settings,
    data: Path,
    store: Store,
    metrics: CollectorRegistry,
    stored: Callable[[SealedSegment], None],
) -> tuple[Journal, Loader]:
    """Make journal and loader, who know each other: one hands over what it sealed, the other says what it finished."""

    def take(segment: SealedSegment) -> None:
        loader.take(segment)

    def frozen(group: str) -> Mapping[str, Any]:
        return loader.frozen(group)

    def idle(group: str) -> bool:
        return loader.idle(group)

    def finished(segment: SealedSegment) -> None:
        journal.finished(segment)
        stored(segment)

    journal = Journal(
        JournalSettings(
            data / "journal",
            settings.journal_max_bytes,
            {p.group: p.seal_age_s for p in formats.PROTOCOLS},
            quiet_s=wiring.quiet_s(settings),
            quiet_most_s=wiring.quiet_most_s(formats.PROTOCOLS),
        ),
        on_sealed=take,
        frozen=frozen,
        idle=idle,
    )
    loader = Loader(
        formats.groups(), store, MappingArchive(data / "mappings"), journal.uuid, data / "quarantine",
        finished, LoadMetrics(metrics), wiring.retention(settings),
    )  # fmt: skip
    loader.on_no_space = journal.no_space
    return journal, loader
