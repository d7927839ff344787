"""What every service is built from, and what it hands back: the two values between process.py and services/."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from opentelemetry.trace import Tracer
from starlette.requests import Request
from starlette.responses import JSONResponse

from demo.dependency import Dependency
from demo.faults import Faults
from demo.metrics import Metrics
from demo.settings import ServiceSettings

Handler = Callable[[Request], Awaitable[JSONResponse]]


@dataclass(frozen=True)
class Runtime:
    """The parts a service may use."""

    settings: ServiceSettings
    log: structlog.stdlib.BoundLogger
    tracer: Tracer
    metrics: Metrics
    faults: Faults
    dependencies: Mapping[str, Dependency]


@dataclass(frozen=True)
class Endpoint:
    """One route: *route* is the template that becomes ``http.route``."""

    method: str
    route: str
    handler: Handler


@dataclass(frozen=True)
class Component:
    """A built service: its routes, and the loops that run beside them until they are cancelled."""

    endpoints: tuple[Endpoint, ...]
    loops: tuple[Callable[[], Awaitable[None]], ...] = ()
