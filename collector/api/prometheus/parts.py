"""What the Prometheus API needs from the rest of the collector."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from collector.api.parts import AlertAnswers
from collector.read.sql import Store
from collector.store.bulkhead import Bulkhead
from collector.store.limits import QueryLimits
from collector.store.question import Questions


@dataclass(frozen=True, slots=True)
class PrometheusParts:
    """
    What `Prometheus` is given.

    Attributes:
        store: ClickHouse.
        alerts: Alerting's answers.
        authenticate: Called with the headers (lower case) of each request but for the probes; raises.
        ready: Whether questions can be answered now.
        retention_days: Told to who asks for it.
        began_ns: When the collector started.
        clock_ns: Nanoseconds since the epoch; what "now" means.
        limits: What one request may take of ClickHouse.
        bulkhead: Where statements of requests wait for their turn.
        questions: The requests that are being answered.
    """

    store: Store
    alerts: AlertAnswers
    authenticate: Callable[[Mapping[bytes, bytes]], object]
    ready: Callable[[], bool] = lambda: True
    retention_days: int = 30
    began_ns: int = field(default_factory=time.time_ns)
    clock_ns: Callable[[], int] = field(default=time.time_ns)
    limits: QueryLimits = field(default_factory=QueryLimits)
    bulkhead: Bulkhead = field(default_factory=Bulkhead)
    questions: Questions = field(default_factory=Questions)
