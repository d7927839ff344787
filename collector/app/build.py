"""Every part, made in the order in which they need each other; what knows a later one is told of it by a function."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from functools import partial

from starlette.routing import Mount

from collector import wiring
from collector.app import watching
from collector.app.answering import answering, api, dashboards, people, prometheus
from collector.app.ground import Ground, lay
from collector.app.running import Collector
from collector.catalogue.book import Book
from collector.catalogue.file import CatalogueFile
from collector.formats import registry as formats
from collector.formats.breakers import receive as formats_breakers
from collector.journal.attendance import loaded
from collector.journal.segment import SealedSegment
from collector.journal.writer import Journal
from collector.listeners import Listeners
from collector.metrics import EngineMetrics, JournalMetrics, ReceiveMetrics, TailMetrics
from collector.pipeline import Pipeline
from collector.probes import Probes
from collector.receive.app import (
    Receiver as IngestReceiver,
)
from collector.receive.guard import Guard
from collector.router import Router
from collector.settings import Settings, is_loopback
from collector.sql.console import Console
from collector.tail import Tail, TailLimits


def build(settings: Settings, tour: str = "") -> Collector:
    """
    Connect every part; *tour* is for the pages (`serving.serve`).

    Raises:
        FuseboardError: A rule file or receiver is wrong, or the state was written by a newer version.
    """

    def stored(segment: SealedSegment) -> None:
        if segment.group == formats_breakers.PROTOCOL.group:
            alerting.hear()

    ground = lay(settings, stored)
    journal, state = ground.journal, ground.state
    catalogue = Book(state, CatalogueFile(settings.catalogue_file))
    present = watching.present(ground)
    console = Console(ground.store, wiring.sql_limits(settings))
    alerting = watching.alerting(ground, present, catalogue, console, lambda: pipeline.pipeline())  # noqa: PLW0108 - it is made below
    own_secret = secrets.token_urlsafe(24)
    access = wiring.access(settings, state)
    keys = wiring.keys(settings, access.roster, own_secret)
    received = ReceiveMetrics(ground.metrics)
    canary = watching.canary(ground, own_secret if keys.required else "")
    jobs = watching.jobs(ground)
    disk = watching.disk(ground)
    pipeline = Pipeline(
        ground.engine,
        journal,
        ground.loader,
        ground.data / "quarantine",
        canary,
        received.repeats,
        disk,
        lambda: state.trouble,
        lambda: alerting.health().reasons,
    )
    probes = Probes(
        pipeline, ground.metrics, JournalMetrics(ground.metrics), EngineMetrics(ground.metrics), keys
    )
    receiver = IngestReceiver(formats.PROTOCOLS, journal, keys, wiring.body_limits(settings), received)
    shared = answering(ground, keys, alerting, console)
    tail = _tail(ground)
    inner = Router(
        receiver,
        probes,
        Mount(
            "/api",
            api(shared, pipeline=pipeline, tail=tail, catalogue=catalogue, present=present, access=access),
        ),
        people(shared),
        prometheus(shared),
        settings.query_at_once,
        partial(_loaded, journal),
        journal.attend,
    )
    collector = Collector(
        settings,
        ground.engine,
        ground.store,
        journal,
        ground.loader,
        alerting,
        state,
        pipeline,
        canary,
        access,
        jobs,
        disk,
        tail,
        Guard(inner, _allowed_hosts(settings)),
        Listeners(settings, receiver, ground.metrics),
        own_secret,
    )
    inner.pages = dashboards(inner, tour)
    inner.collector = collector
    return collector


def _tail(ground: Ground) -> Tail:
    limits = TailLimits(ground.settings.tail_viewers, ground.settings.tail_searches)
    return Tail(ground.store, limits, TailMetrics(ground.metrics), ground.journal.attend)


def _allowed_hosts(settings: Settings) -> tuple[str, ...]:
    return settings.allowed_hosts if settings.allowed_hosts or is_loopback(settings.host) else ("*",)


async def _loaded(journal: Journal, signals: Collection[str] | None) -> None:
    """Have whatever waited for a reader of *signals* (``None`` = of any) loaded."""
    await loaded(journal, None if signals is None else formats.groups_of(signals))
