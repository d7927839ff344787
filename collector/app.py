"""
The composition root: the only place where objects meet.

``build`` makes a `Collector` out of `Settings`; its ASGI application serves, by path: ingest (``receive/``), ``/api``, ``/clickhouse/`` and ``/prometheus/`` (``api/``), the
probes and ``/metrics`` (``probes.py``), and everything else the dashboards, who talk to ``/api`` through ASGI without a socket.

Order of starting: engine, journal (recovers, hands sealed segments to the loader), alerting; of ending: the reverse, draining the
journal into ClickHouse first.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import structlog
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.routing import Mount

from collector import wiring
from collector.access import Access
from collector.alerting.kinds.asking import Sources
from collector.alerting.service import Alerting
from collector.api.actions import action_of
from collector.api.app import build_api
from collector.api.clickhouse import ClickHouse
from collector.api.parts import CALLER, ApiParts
from collector.api.prometheus import Prometheus, PrometheusParts
from collector.boards import Boards
from collector.canary.memory import Memory
from collector.canary.watch import Canary
from collector.catalogue.book import Book
from collector.catalogue.file import CatalogueFile
from collector.deploys import Deploys
from collector.engine.process import Engine
from collector.engine.remote import Server
from collector.errors import Unavailable
from collector.formats import registry as formats
from collector.formats.breakers import receive as formats_breakers
from collector.formats.lines import receive as formats_lines
from collector.jobs.breaker_states import BREAKER_STATES
from collector.jobs.calls import CALLS
from collector.jobs.entries import ENTRIES
from collector.jobs.messages import MESSAGES
from collector.jobs.progress import Progress
from collector.jobs.runner import Jobs
from collector.journal.attendance import loaded, wait_loaded
from collector.journal.segment import SealedSegment
from collector.journal.writer import Journal, JournalSettings
from collector.listeners import Listeners
from collector.load.archive import MappingArchive
from collector.load.loader import Loader
from collector.load.retention import LONGEST_DAYS
from collector.metrics import (
    CanaryMetrics,
    DiskMetrics,
    EngineMetrics,
    JobMetrics,
    JournalMetrics,
    LoadMetrics,
    QueryMetrics,
    ReceiveMetrics,
    TailMetrics,
)
from collector.pipeline import Pipeline
from collector.probes import Probes
from collector.read.kept import Kept
from collector.read.present import Present
from collector.read.sql import Reader
from collector.receive.app import (
    Receiver as IngestReceiver,
)
from collector.receive.authenticate import Keys
from collector.receive.guard import App, Guard
from collector.router import Router
from collector.settings import Settings, describe, is_loopback
from collector.sql.console import Console
from collector.state import State
from collector.store.budget import DiskBudget
from collector.store.bulkhead import Bulkhead, queries_busy
from collector.store.client import Store
from collector.store.migrate import migrate
from collector.store.passage import Passage
from collector.store.processes import cancel, progress
from collector.store.question import Questions
from collector.store.shard import OneShard
from collector.tail import Tail, TailLimits
from collector.views import Views

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


def build(settings: Settings, tour: str = "") -> Collector:
    """
    Connect every part; *tour* is for the pages (`serving.serve`).

    Raises:
        FuseboardError: A rule file or receiver is wrong, or the state was written by a newer version.
    """
    data = settings.data_dir.resolve()
    data.mkdir(parents=True, exist_ok=True)
    metrics = CollectorRegistry()
    engine, store = _clickhouse(settings)

    def take(segment: SealedSegment) -> None:
        loader.take(segment)

    def frozen(group: str) -> Mapping[str, Any]:
        return loader.frozen(group)

    def idle(group: str) -> bool:
        return loader.idle(group)

    def finished(segment: SealedSegment) -> None:
        journal.finished(segment)
        if segment.group == formats_breakers.PROTOCOL.group:
            alerting.hear()

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
    state = State(
        settings.state.get_secret_value() if settings.state is not None else f"sqlite:///{data / 'state.db'}"
    )
    catalogue = Book(state, CatalogueFile(settings.catalogue_file))
    present = Present(
        store,
        time.time_ns,
        wiring.query_limits(settings),
        mark=store.mark,
        attend=lambda: wait_loaded(journal, formats.groups_of(("logs", "traces", "metrics"))),
    )
    unloaded_ns = _unloaded_of(journal, loader, formats.groups_of)
    alerting = Alerting(
        wiring.alerting(settings),
        state=state,
        breakers=present,
        registry=metrics,
        holder=journal.uuid,
        sources=Sources(
            lambda: Reader(store, limits=wiring.rule_limits(settings), unloaded_ns=unloaded_ns),
            states=present.states if isinstance(engine, Engine) else None,
            sql=lambda text: console.ask(text),  # noqa: PLW0108 - the console is made below
            own=lambda: pipeline.pipeline(),  # noqa: PLW0108
            attend=lambda signals: wait_loaded(journal, formats.groups_of(signals)),
            slos=catalogue.slos,
        ),
        on_call=catalogue.receivers,
    )
    own_secret = secrets.token_urlsafe(24)
    access = wiring.access(settings, state)
    keys = wiring.keys(settings, access.roster, own_secret)
    received = ReceiveMetrics(metrics)
    canary = Canary(
        Memory(state, journal.uuid), store, CanaryMetrics(metrics), settings.canary_interval_s, _unloaded(journal, loader, formats_lines.PROTOCOL.group),
        own_secret if keys.required else "", partial(wait_loaded, journal, {formats_lines.PROTOCOL.group}),
    )  # fmt: skip
    jobs = Jobs(
        (CALLS, MESSAGES, ENTRIES, BREAKER_STATES),
        store,
        Progress(state, journal.uuid),
        _unloaded_of(journal, loader, formats.groups_that_fill),
        JobMetrics(metrics),
    )
    disk = _disk(settings, engine, store, metrics)
    pipeline = Pipeline(
        engine,
        journal,
        loader,
        data / "quarantine",
        canary,
        received.repeats,
        disk,
        lambda: state.trouble,
        lambda: alerting.health().reasons,
    )
    probes = Probes(pipeline, metrics, JournalMetrics(metrics), EngineMetrics(metrics), keys)
    receiver = IngestReceiver(formats.PROTOCOLS, journal, keys, wiring.body_limits(settings), received)
    console = Console(store, wiring.sql_limits(settings))
    query_metrics = QueryMetrics(metrics)
    questions = Questions(partial(cancel, store), query_metrics.cancelled.inc)
    tail = Tail(
        store, TailLimits(settings.tail_viewers, settings.tail_searches), TailMetrics(metrics), journal.attend
    )
    bulkhead = _bulkhead(settings, query_metrics)
    api = build_api(
        ApiParts(
            store=store,
            alerts=alerting,
            pipeline=pipeline,
            sql=console,
            tail=tail if settings.tail_viewers else None,
            catalogue=catalogue,
            views=Views(state),
            deploys=Deploys(state),
            silences=alerting.silences,
            deliveries=alerting.sent,
            incidents=alerting.incidents,
            export_rows=settings.export_rows,
            authenticate=_authenticator(keys),
            limits=wiring.query_limits(settings),
            sql_limits=console.limits,
            bulkhead=bulkhead,
            questions=questions,
            present=present,
            kept=Kept(),
            unloaded_ns=unloaded_ns,
            progress=partial(progress, store),
            boards=Boards(state),
            access=access,
            settings=describe(settings),
        )
    )
    people = ClickHouse(
        console,
        Passage(engine.target, settings.query_timeout_s),
        lambda headers: keys.authenticate(headers, "read"),
        questions,
    )
    prometheus = Prometheus(
        PrometheusParts(
            store=store,
            alerts=alerting,
            authenticate=lambda headers: keys.authenticate(headers, "read"),
            ready=lambda: engine.state.state == "up",
            retention_days=min(settings.retention_days, LONGEST_DAYS),
            limits=wiring.query_limits(settings),
            bulkhead=bulkhead,
            questions=questions,
        )
    )
    inner = Router(
        receiver,
        probes,
        Mount("/api", api),
        people,
        prometheus,
        settings.query_at_once,
        partial(_loaded, journal),
        journal.attend,
    )
    allowed = settings.allowed_hosts if settings.allowed_hosts or is_loopback(settings.host) else ("*",)
    collector = Collector(
        settings,
        engine,
        store,
        journal,
        loader,
        alerting,
        state,
        pipeline,
        canary,
        access,
        jobs,
        disk,
        tail,
        Guard(inner, allowed),
        Listeners(settings, receiver, metrics),
        own_secret,
    )
    inner.pages = _dashboards(inner, tour)
    inner.collector = collector
    return collector


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


def _disk(
    settings: Settings, engine: Engine | Server, store: Store, metrics: CollectorRegistry
) -> DiskBudget | None:
    if isinstance(engine, Server):
        return None
    path = settings.data_dir.resolve() / "engine"
    return DiskBudget(store, path, settings.disk_max_bytes, settings.disk_free_bytes, DiskMetrics(metrics))


def _migrated(store: Store) -> None:
    applied = migrate(store)
    log.info("schema_ready", applied=applied)


async def _loaded(journal: Journal, signals: Collection[str] | None) -> None:
    """Have whatever waited for a reader of *signals* (``None`` = of any) loaded."""
    await loaded(journal, None if signals is None else formats.groups_of(signals))


def _unloaded(journal: Journal, loader: Loader, group: str) -> Callable[[], int | None]:
    """Say since when records of *group* wait to be loaded: the journal is asked first, it hands over to the loader."""

    def first_ns() -> int | None:
        found = (journal.first_open_ns(group), loader.first_waiting_ns(group))
        return min((at for at in found if at is not None), default=None)

    return first_ns


def _unloaded_of(
    journal: Journal, loader: Loader, groups: Callable[[Any], Collection[str]]
) -> Callable[[Any], int | None]:
    """Say since when records of any of the *groups* of what is asked about (a table that they fill, some signals) wait to be loaded."""

    def first_ns(asked: Any) -> int | None:
        found = (_unloaded(journal, loader, group)() for group in groups(asked))
        return min((at for at in found if at is not None), default=None)

    return first_ns


def _bulkhead(settings: Settings, metrics: QueryMetrics) -> Bulkhead:
    """Give readers their turns; as many again may wait twice over, each in a thread of the API's (`_Router`)."""

    def refusal(sentence: str) -> Unavailable:
        metrics.refused.inc()
        return queries_busy(sentence)

    bulkhead = Bulkhead(settings.query_at_once, 2 * settings.query_at_once, refusal=refusal)
    metrics.running.set_function(lambda: bulkhead.running)
    metrics.waiting.set_function(lambda: bulkhead.waiting)
    return bulkhead


def _authenticator(keys: Keys) -> Callable[[Request], None]:
    def authenticate(request: Request) -> None:
        action = action_of(request.method, request.scope["path"])
        if action is not None:
            request.scope[CALLER] = keys.authenticate(dict(request.scope["headers"]), action)

    return authenticate


def _dashboards(inner: App, tour: str) -> App | None:
    """Return the dashboards on this collector's own API, or ``None`` where they are not installed."""
    try:
        from dashboards.api import Api
        from dashboards.app import create_app
        from dashboards.documents import PATIENCE_S
        from dashboards.inprocess import InProcess
    except ImportError as error:
        log.warning("dashboards_not_installed", missing=str(error))
        return None
    client = httpx.AsyncClient(transport=InProcess(inner), base_url="http://127.0.0.1")
    return create_app(Api(client), tour=tour, patience_s=PATIENCE_S)
