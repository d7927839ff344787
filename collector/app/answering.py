"""Who answers questions: the API, ``/clickhouse/``, ``/prometheus/``, and the dashboards on top of the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import httpx
import structlog
from fastapi import FastAPI
from starlette.requests import Request

from collector import wiring
from collector.access import Access
from collector.alerting.service import Alerting
from collector.api.actions import action_of
from collector.api.app import build_api
from collector.api.clickhouse import ClickHouse
from collector.api.parts import CALLER, ApiParts
from collector.api.prometheus import Prometheus, PrometheusParts
from collector.app.ground import Ground
from collector.boards import Boards
from collector.catalogue.book import Book
from collector.deploys import Deploys
from collector.errors import Unavailable
from collector.formats import registry as formats
from collector.load.retention import LONGEST_DAYS
from collector.load.waiting import unloaded_of
from collector.metrics import QueryMetrics
from collector.pipeline import Pipeline
from collector.read.kept import Kept
from collector.read.present import Present
from collector.receive.authenticate import Keys
from collector.receive.guard import App
from collector.settings import Settings, describe
from collector.sql.console import Console
from collector.store.bulkhead import Bulkhead, queries_busy
from collector.store.passage import Passage
from collector.store.processes import cancel, progress
from collector.store.question import Questions
from collector.tail import Tail
from collector.views import Views

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answering:
    """What all who answer share: whom they let in, what they ask of alerts, and the turns that their statements take."""

    ground: Ground
    keys: Keys
    alerting: Alerting
    console: Console
    questions: Questions
    bulkhead: Bulkhead


def answering(ground: Ground, keys: Keys, alerts: Alerting, console: Console) -> Answering:
    """Make what all who answer share."""
    metrics = QueryMetrics(ground.metrics)
    questions = Questions(partial(cancel, ground.store), metrics.cancelled.inc)
    return Answering(ground, keys, alerts, console, questions, _bulkhead(ground.settings, metrics))


def api(
    shared: Answering,
    *,
    pipeline: Pipeline,
    tail: Tail,
    catalogue: Book,
    present: Present,
    access: Access,
) -> FastAPI:
    """Make ``/api``."""
    ground, alerting, settings = shared.ground, shared.alerting, shared.ground.settings
    return build_api(
        ApiParts(
            store=ground.store,
            alerts=alerting,
            pipeline=pipeline,
            sql=shared.console,
            tail=tail if settings.tail_viewers else None,
            catalogue=catalogue,
            views=Views(ground.state),
            deploys=Deploys(ground.state),
            silences=alerting.silences,
            deliveries=alerting.sent,
            incidents=alerting.incidents,
            export_rows=settings.export_rows,
            authenticate=authenticator(shared.keys),
            limits=wiring.query_limits(settings),
            sql_limits=shared.console.limits,
            bulkhead=shared.bulkhead,
            questions=shared.questions,
            present=present,
            kept=Kept(),
            unloaded_ns=unloaded_of(ground.journal, ground.loader, formats.groups_of),
            progress=partial(progress, ground.store),
            boards=Boards(ground.state),
            access=access,
            settings=describe(settings),
        )
    )


def people(shared: Answering) -> ClickHouse:
    """Make ``/clickhouse/``."""
    return ClickHouse(
        shared.console,
        Passage(shared.ground.engine.target, shared.ground.settings.query_timeout_s),
        lambda headers: shared.keys.authenticate(headers, "read"),
        shared.questions,
    )


def prometheus(shared: Answering) -> Prometheus:
    """Make ``/prometheus/`` and ``/api/v1/metrics/``."""
    ground, settings = shared.ground, shared.ground.settings
    return Prometheus(
        PrometheusParts(
            store=ground.store,
            alerts=shared.alerting,
            authenticate=lambda headers: shared.keys.authenticate(headers, "read"),
            ready=lambda: ground.engine.state.state == "up",
            retention_days=min(settings.retention_days, LONGEST_DAYS),
            limits=wiring.query_limits(settings),
            bulkhead=shared.bulkhead,
            questions=shared.questions,
        )
    )


def authenticator(keys: Keys) -> Callable[[Request], None]:
    """Return what lets a request of the API in by *keys*, or raises."""

    def authenticate(request: Request) -> None:
        action = action_of(request.method, request.scope["path"])
        if action is not None:
            request.scope[CALLER] = keys.authenticate(dict(request.scope["headers"]), action)

    return authenticate


def dashboards(inner: App, tour: str) -> App | None:
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


def _bulkhead(settings: Settings, metrics: QueryMetrics) -> Bulkhead:
    """Give readers their turns; as many again may wait twice over, each in a thread of the API's (`collector.router.Router`)."""

    def refusal(sentence: str) -> Unavailable:
        metrics.refused.inc()
        return queries_busy(sentence)

    bulkhead = Bulkhead(settings.query_at_once, 2 * settings.query_at_once, refusal=refusal)
    metrics.running.set_function(lambda: bulkhead.running)
    metrics.waiting.set_function(lambda: bulkhead.waiting)
    return bulkhead
