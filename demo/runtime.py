"""What every service is built from, and what it hands back: the two values between process.py and services/."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from opentelemetry.trace import Tracer
from starlette.requests import Request
from starlette.responses import JSONResponse

from demo.dependency import Dependency
from demo.errors import Declined
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


async def json_object(request: Request, *required: str) -> dict[str, Any]:
    """
    Read the request's body.

    Args:
        request: Its body is to be a JSON object.
        *required: Names that the object must have.

    Raises:
        Declined: 400 with what is missing.
    """
    try:
        body = await request.json()
    except ValueError as error:
        raise Declined(400, "bad_json", f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Declined(400, "bad_json", f"the body is a JSON {type(body).__name__}, not an object")
    if missing := [name for name in required if name not in body]:
        raise Declined(400, "missing_field", f"the body has no {missing[0]!r}")
    return body
