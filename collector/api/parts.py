"""What the API needs from the rest of the collector."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from starlette.requests import Request

from collector.access import Access
from collector.alerting.deliveries import Deliveries
from collector.alerting.history import AlertsWanted
from collector.alerting.incidents.service import Incidents
from collector.alerting.silences.service import Silences
from collector.boards import Boards
from collector.deploys import Deploys
from collector.errors import Unavailable
from collector.query.search import Condition
from collector.read.kept import Kept
from collector.read.sql import Answer, Present, Store
from collector.store.bulkhead import Bulkhead
from collector.store.limits import QueryLimits
from collector.store.processes import Progress
from collector.store.question import Question, Questions
from collector.views import Views


class AlertAnswers(Protocol):
    """Alerting, as the API shows it."""

    def alerts(self, wanted: AlertsWanted | None = None) -> Sequence[Mapping[str, Any]]:
        """Give the living and lately resolved alerts, or those that are *wanted*."""

    def rules(self) -> Sequence[Mapping[str, Any]]:
        """Give the rules and their states."""

    def noise(self, since: datetime, until: datetime, limit: int) -> Sequence[Mapping[str, Any]]:
        """Give the rules that fired most without acknowledgement."""


class PipelineAnswers(Protocol):
    """The collector's own pipeline; answers while the engine is dead."""

    def pipeline(self) -> Mapping[str, Any]:
        """Give the state of engine, journal and quarantine."""


class Stream(Protocol):
    """Bytes of server-sent events."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give them as they come."""

    def leave(self) -> None:
        """End it, also one that never began."""


class TailAnswers(Protocol):
    """The live tail."""

    async def watch(
        self, search: Condition, env: str, cursor: str | None = None, since_ns: int | None = None
    ) -> Stream:
        """Begin to watch."""


class CatalogueAnswers(Protocol):
    """Who owns what."""

    def put(self, service: str, fields: Mapping[str, object]) -> Mapping[str, str]:
        """Keep the fields of a service."""

    def forget(self, service: str) -> None:
        """Remove what was put for a service."""

    def entries(
        self,
        heard: Iterable[str],
        attributes: Mapping[str, Mapping[str, str]],
        protected: Mapping[str, bool],
    ) -> Sequence[Mapping[str, Any]]:
        """Give every service's entry."""

    def owners(self) -> Mapping[str, str]:
        """Give service -> owner."""

    def slos(self) -> Mapping[str, str]:
        """Give service -> its objective, as it was written."""


class NoCatalogue:
    """An API without a catalogue."""

    def put(self, service: str, fields: Mapping[str, object]) -> Mapping[str, str]:
        """Refuse: nothing keeps it."""
        raise Unavailable("state_unavailable", f"nothing keeps {service!r}: {dict(fields)}")

    def forget(self, service: str) -> None:
        """Do nothing."""

    def entries(self, *_: object) -> Sequence[Mapping[str, Any]]:
        """Give none."""
        return ()

    def owners(self) -> Mapping[str, str]:
        """Give none."""
        return {}

    def slos(self) -> Mapping[str, str]:
        """Give none."""
        return {}


class SqlAnswers(Protocol):
    """Statements of people, guarded."""

    def ask(self, text: str, question: Question | None = None) -> Answer:
        """Check and run *text* for *question*."""


def nothing_known(ids: Collection[str]) -> Progress:
    """Say that nothing is known of *ids*: an API without ClickHouse's list of what runs."""
    del ids
    return Progress()


CALLER = "fuseboard.caller"
"""Where a request's scope has the `Key` it came with."""


def nobody_asked(request: Request) -> None:
    """Let everyone in: the loopback default without keys."""
    del request


@dataclass(frozen=True, slots=True)
class ApiParts:
    """
    What `build_api` is given.

    Attributes:
        store: ClickHouse.
        alerts: Alerting's answers.
        pipeline: The pipeline's answers.
        sql: Answers to statements.
        tail: The live tail; ``None`` = there is none.
        catalogue: Who owns what.
        authenticate: Called with each request for data; puts who asks into its scope (`CALLER`); raises `Unauthenticated` or `Forbidden`.
        clock_ns: Nanoseconds since the epoch; what ``now`` means.
        views: Saved views; ``None`` = there are none.
        deploys: What is told of deploys; ``None`` = nothing keeps it.
        deliveries: Receivers and what was sent to them; ``None`` = there are none.
        silences: Silences and maintenance windows; ``None`` = there are none.
        incidents: Incidents; ``None`` = there are none.
        export_rows: Records of one export.
        limits: What one request may take of ClickHouse.
        sql_limits: What one with a statement of a person may take.
        bulkhead: Where statements of requests wait for their turn.
        questions: The requests that are being answered.
        present: Who keeps the states of breakers as they are now; ``None`` = they are read.
        kept: What was read for one question and serves others for a minute; ``None`` = nothing does.
        unloaded_ns: Given signals, says since when records of them wait to be loaded; ``None`` = none do.
        progress: Says how far statements are, by their ids.
        boards: Dashboards that people compose; ``None`` = there are none.
        access: Keys and people; ``None`` = those of the settings alone.
        settings: (name, value with secrets masked, help) of every setting.
    """

    store: Store
    alerts: AlertAnswers
    pipeline: PipelineAnswers
    sql: SqlAnswers
    tail: TailAnswers | None = None
    catalogue: CatalogueAnswers = field(default_factory=NoCatalogue)
    authenticate: Callable[[Request], None] = nobody_asked
    clock_ns: Callable[[], int] = field(default=time.time_ns)
    views: Views | None = None
    deploys: Deploys | None = None
    silences: Silences | None = None
    deliveries: Deliveries | None = None
    incidents: Incidents | None = None
    export_rows: int = 1_000_000
    limits: QueryLimits = field(default_factory=QueryLimits)
    sql_limits: QueryLimits = field(default_factory=lambda: QueryLimits(prefix="sql"))
    bulkhead: Bulkhead = field(default_factory=Bulkhead)
    questions: Questions = field(default_factory=Questions)
    present: Present | None = None
    kept: Kept | None = None
    unloaded_ns: Callable[[Collection[str]], int | None] = lambda _: None
    progress: Callable[[Collection[str]], Progress] = nothing_known
    boards: Boards | None = None
    access: Access | None = None
    settings: Sequence[tuple[str, str, str]] = ()
