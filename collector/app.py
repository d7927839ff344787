"""
The composition root: the only place where objects meet.

``build`` makes a `Collector` out of `Settings`; its ASGI application serves, by path: ingest (``receive/``), ``/api``, ``/clickhouse/`` and ``/prometheus/`` (``api/``), the
probes and ``/metrics`` (``probes.py``), and everything else the dashboards, who talk to ``/api`` through ASGI without a socket.

Order of starting: engine, journal (recovers, hands sealed segments to the loader), alerting; of ending: the reverse, draining the
journal into ClickHouse first.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import structlog
from anyio import to_thread
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.requests import Request

from collector.alerting.service import Alerting
from collector.alerting.settings import AlertingSettings, Receiver
from collector.api.app import build_api
from collector.api.clickhouse import PREFIX, ClickHouse
from collector.api.parts import ApiParts
from collector.api.prometheus import Prometheus, PrometheusParts
from collector.canary.memory import Memory
from collector.canary.watch import Canary
from collector.catalogue.book import Book
from collector.catalogue.file import CatalogueFile
from collector.engine.process import Engine
from collector.engine.remote import Server
from collector.errors import FuseboardError, Unavailable
from collector.formats import registry as formats
from collector.formats.lines import receive as formats_lines
from collector.jobs.breaker_states import BREAKER_STATES
from collector.jobs.calls import CALLS
from collector.jobs.progress import Progress
from collector.jobs.runner import Jobs
from collector.journal.segment import SealedSegment
from collector.journal.writer import Journal, JournalSettings
from collector.listeners import Listeners
from collector.load.archive import MappingArchive
from collector.load.loader import Loader
from collector.load.retention import LONGEST_DAYS, Retention, Rule
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
from collector.read.breakers import Breakers
from collector.read.own import OWN_SERVICE
from collector.receive.app import (
    Receive,
    Scope,
    Send,
    error_response,
    send_response,
)
from collector.receive.app import (
    Receiver as IngestReceiver,
)
from collector.receive.authenticate import Key, Keys
from collector.receive.decompress import Limits
from collector.receive.guard import App, Guard
from collector.settings import Settings, is_loopback
from collector.sql.console import Console
from collector.state import State
from collector.store.budget import DiskBudget
from collector.store.bulkhead import Bulkhead, queries_busy
from collector.store.client import Store, Target
from collector.store.limits import QueryLimits
from collector.store.migrate import migrate
from collector.store.passage import Passage
from collector.store.processes import cancel, progress
from collector.store.question import Questions
from collector.store.shard import OneShard
from collector.store.storage import Storage
from collector.tail import Tail, TailLimits
from collector.views import Views

log = structlog.get_logger()

# Eight for statements of people, the rest for handlers that ask ClickHouse nothing.
_SPARE_THREADS = 24
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


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
    jobs: Jobs
    disk: DiskBudget | None
    tail: Tail
    asgi: App
    listeners: Listeners

    def start(self) -> None:
        """Start engine, journal, loader and alerting; returns before the engine is up."""
        self.engine.start()
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
        self.state.close()
        self.engine.stop()
        log.info("collector_stopped", segments_waiting=self.loader.waiting[0])


def build(settings: Settings) -> Collector:
    """
    Connect every part.

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

    journal = Journal(
        JournalSettings(
            data / "journal", settings.journal_max_bytes, {p.group: p.seal_age_s for p in formats.PROTOCOLS}
        ),
        on_sealed=take,
        frozen=frozen,
        idle=idle,
    )
    loader = Loader(
        formats.groups(), store, MappingArchive(data / "mappings"), journal.uuid, data / "quarantine",
        journal.finished, LoadMetrics(metrics), _retention(settings),
    )  # fmt: skip
    loader.on_no_space = journal.no_space
    state = State(
        settings.state.get_secret_value() if settings.state is not None else f"sqlite:///{data / 'state.db'}"
    )
    alerting = Alerting(
        _alerting(settings),
        state=state,
        breakers=Breakers(store, time.time_ns, _query_limits(settings)),
        registry=metrics,
        holder=journal.uuid,
    )
    own_secret = secrets.token_urlsafe(24)
    keys = _keys(settings, own_secret)
    received = ReceiveMetrics(metrics)
    canary = Canary(
        Memory(state, journal.uuid), store, CanaryMetrics(metrics), settings.canary_interval_s, _unloaded(journal, loader, formats_lines.PROTOCOL.group),
        own_secret if keys.required else "",
    )  # fmt: skip
    jobs = Jobs(
        (CALLS, BREAKER_STATES),
        store,
        Progress(state, journal.uuid),
        _unloaded_of(journal, loader),
        JobMetrics(metrics),
    )
    disk = _disk(settings, engine, store, metrics)
    pipeline = Pipeline(
        engine, journal, loader, data / "quarantine", canary, received.repeats, disk, lambda: state.trouble
    )
    probes = Probes(pipeline, metrics, JournalMetrics(metrics), EngineMetrics(metrics), keys)
    receiver = IngestReceiver(formats.PROTOCOLS, journal, keys, _limits(settings), received)
    console = Console(store, _sql_limits(settings))
    query_metrics = QueryMetrics(metrics)
    questions = Questions(partial(cancel, store), query_metrics.cancelled.inc)
    tail = Tail(store, TailLimits(settings.tail_viewers, settings.tail_searches), TailMetrics(metrics))
    bulkhead = _bulkhead(settings, query_metrics)
    api = build_api(
        ApiParts(
            store=store,
            alerts=alerting,
            pipeline=pipeline,
            sql=console,
            tail=tail if settings.tail_viewers else None,
            catalogue=Book(state, CatalogueFile(settings.catalogue_file)),
            views=Views(state),
            export_rows=settings.export_rows,
            authenticate=_authenticator(keys),
            limits=_query_limits(settings),
            sql_limits=console.limits,
            bulkhead=bulkhead,
            questions=questions,
            progress=partial(progress, store),
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
            limits=_query_limits(settings),
            bulkhead=bulkhead,
            questions=questions,
        )
    )
    root = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    root.mount("/api", api)
    inner = _Router(receiver, probes, root, people, prometheus, None)
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
        jobs,
        disk,
        tail,
        Guard(inner, allowed),
        Listeners(settings, receiver, metrics),
    )
    inner.pages = _dashboards(inner)
    inner.collector = collector
    return collector


class _Router:
    """
    Path -> application, and the lifespan.

    Args:
        receiver: Ingest paths.
        probes: ``/healthz``, ``/readyz``, ``/metrics``.
        api: ``/api``.
        people: ``/clickhouse/``.
        prometheus: ``/prometheus/`` and ``/api/v1/metrics/``.
        pages: Everything else; ``None`` = not installed.
    """

    def __init__(
        self,
        receiver: IngestReceiver,
        probes: Probes,
        api: App,
        people: ClickHouse,
        prometheus: Prometheus,
        pages: App | None,
    ) -> None:
        self._receiver = receiver
        self._probes = probes
        self._api = api
        self._people = people
        self._prometheus = prometheus
        self.pages = pages
        self.collector: Collector | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch one connection's scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        path = scope["path"]
        if self._receiver.serves(scope):
            await self._receiver(scope, receive, send)
        elif path in _PROBES:
            await self._probes(scope, receive, send)
        elif self._prometheus.serves(path):
            await self._prometheus(scope, receive, send)
        elif path == "/api" or path.startswith("/api/"):
            await self._api(scope, receive, send)
        elif path == PREFIX or path.startswith(f"{PREFIX}/"):
            await self._people(scope, receive, send)
        elif self.pages is not None and not path.startswith(("/v1/", "/loki/")):
            await self.pages(scope, receive, send)
        else:
            error = FuseboardError(
                "not_found", f"nothing is served at {path[:200]!r}; the API begins at /api/v1/"
            )
            error.status = 404
            await send_response(send, error_response(error))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        assert self.collector is not None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    _room_for_those_who_wait(self.collector.settings.query_at_once)
                    await asyncio.to_thread(self.collector.start)
                    await self._listen(self.collector)
                except Exception as error:
                    log.exception("collector_start_failed")
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.collector.listeners.stop()
                await self._people.aclose()
                await asyncio.to_thread(self.collector.stop)
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _listen(self, collector: Collector) -> None:
        """Start the other ways in; where one cannot be, end what was started: the engine is a process of its own."""
        try:
            await collector.listeners.start()
        except BaseException:
            with contextlib.suppress(Exception):  # one that never listened has nothing to stop
                await collector.listeners.stop()
            await asyncio.to_thread(collector.stop)
            raise


def _room_for_those_who_wait(at_once: int) -> None:
    """Give the API's handlers more threads than may run or wait in the bulkheads, so that what needs no turn is answered all the same."""
    limiter = to_thread.current_default_thread_limiter()
    limiter.total_tokens = max(limiter.total_tokens, 3 * at_once + _SPARE_THREADS)


def server_target(settings: Settings) -> Target | None:
    """Return where the ClickHouse server of *settings* listens; ``None`` = the embedded engine."""
    if settings.clickhouse is None:
        return None
    ca_file = settings.clickhouse_ca_file
    url = settings.clickhouse.get_secret_value()
    return Target(
        url,
        shared_disk=False,
        ca_file=str(ca_file) if ca_file else None,
        cluster=settings.cluster,
        storage=_storage(settings),
    )


def _storage(settings: Settings) -> Storage | None:
    if settings.storage_policy is None:
        return None
    return Storage(settings.storage_policy, settings.move_after_days, settings.move_to)


def _clickhouse(settings: Settings) -> tuple[Engine | Server, Store]:
    target = server_target(settings)
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


def _retention(settings: Settings) -> Retention:
    rules = tuple(
        Rule(min(rule.days, LONGEST_DAYS), rule.signal, rule.service, rule.env) for rule in settings.retention
    )
    return Retention(min(settings.retention_days, LONGEST_DAYS), rules)


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


def _alerting(settings: Settings) -> AlertingSettings:
    receivers = tuple(
        Receiver(
            name=receiver.name,
            url=receiver.url,
            secret=receiver.secret.get_secret_value(),
            kind=receiver.kind,
            types=receiver.types,
            allow_private=receiver.allow_private,
            timeout_s=receiver.timeout_s,
        )
        for receiver in settings.receivers
    )
    return AlertingSettings(
        rule_files=settings.rule_files,
        receivers=receivers,
        interval_s=settings.evaluation_interval_s,
        public_url=settings.public_url or f"http://{settings.host}:{settings.port}",
        egress_allow=settings.egress_allow,
    )


def _keys(settings: Settings, own_secret: str) -> Keys:
    """Give the keys of the settings, and where there are any one of our own for the canary, made anew at each start."""
    simple = {"ingest": settings.ingest_key, "read": settings.read_key, "admin": settings.admin_key}
    keys = [
        Key(role, secret.get_secret_value(), role) for role, secret in simple.items() if secret is not None
    ]
    keys += [Key(k.name, k.secret.get_secret_value(), k.role, k.services, k.envs) for k in settings.keys]
    if keys:
        keys.append(Key("canary", own_secret, services=(OWN_SERVICE,)))
    return Keys(keys)


def _unloaded(journal: Journal, loader: Loader, group: str) -> Callable[[], int | None]:
    """Say since when records of *group* wait to be loaded: the journal is asked first, it hands over to the loader."""

    def first_ns() -> int | None:
        found = (journal.first_open_ns(group), loader.first_waiting_ns(group))
        return min((at for at in found if at is not None), default=None)

    return first_ns


def _unloaded_of(journal: Journal, loader: Loader) -> Callable[[str], int | None]:
    """Say since when records of any format that fills a table wait to be loaded."""

    def first_ns(table: str) -> int | None:
        groups = {protocol.group for protocol in formats.PROTOCOLS if table in protocol.tables}
        found = (_unloaded(journal, loader, group)() for group in groups)
        return min((at for at in found if at is not None), default=None)

    return first_ns


def _limits(settings: Settings) -> Limits:
    return Limits(settings.body_bytes, settings.decoded_bytes, settings.ratio)


def _query_limits(settings: Settings) -> QueryLimits:
    return QueryLimits(
        settings.query_timeout_s,
        settings.query_memory_bytes,
        settings.query_result_rows,
        settings.query_result_bytes,
        settings.query_read_rows,
        settings.query_read_bytes,
    )


def _bulkhead(settings: Settings, metrics: QueryMetrics) -> Bulkhead:
    """Give readers their turns; as many again may wait twice over, each in a thread of the API's (`_Router`)."""

    def refusal(sentence: str) -> Unavailable:
        metrics.refused.inc()
        return queries_busy(sentence)

    bulkhead = Bulkhead(settings.query_at_once, 2 * settings.query_at_once, refusal=refusal)
    metrics.running.set_function(lambda: bulkhead.running)
    metrics.waiting.set_function(lambda: bulkhead.waiting)
    return bulkhead


def _sql_limits(settings: Settings) -> QueryLimits:
    return QueryLimits(
        settings.query_timeout_s,
        settings.sql_memory_bytes,
        settings.sql_result_rows,
        settings.sql_result_bytes,
        settings.sql_read_rows,
        settings.sql_read_bytes,
        prefix="sql",
    )


def _authenticator(keys: Keys) -> Any:
    def authenticate(request: Request) -> None:
        asks = request.method in {"GET", "HEAD"} or request.scope["path"].endswith("/v1/sql")
        action = "read" if asks else "change"
        keys.authenticate(dict(request.scope["headers"]), action)

    return authenticate


def _dashboards(inner: App) -> App | None:
    """Return the dashboards on this collector's own API, or ``None`` where they are not installed."""
    try:
        from dashboards.api import Api
        from dashboards.app import create_app
        from dashboards.inprocess import InProcess
    except ImportError as error:
        log.warning("dashboards_not_installed", missing=str(error))
        return None
    client = httpx.AsyncClient(transport=InProcess(inner), base_url="http://127.0.0.1")
    return create_app(Api(client))
