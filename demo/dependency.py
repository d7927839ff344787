"""
One neighbour, seen from its caller: bulkhead, then breaker, then a client span around the HTTP call.

The bulkhead stands outside: calls it turns away say nothing about the target's health, so the breaker does not see them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pybreaker
import structlog
from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer

from demo.bulkhead import Bulkhead
from demo.errors import BulkheadFull, DependencyFailed, NotPermitted
from demo.metrics import Metrics

_CONNECT_TIMEOUT_S = 0.5  # on one machine or one network a host that takes longer is away


@dataclass(frozen=True)
class Answer:
    """What the neighbour said: a status below 500 and its JSON."""

    status: int
    body: Any


class Dependency:
    """
    The way to one target.

    Args:
        target: Its service name; ``peer.service`` on the client spans.
        base_url: Where it lives.
        client: Shared by the process's dependencies.
        timeout_s: How long an answer may take.
        bulkhead: Bounds the calls in flight.
        breaker: None leaves the edge unprotected.
    """

    def __init__(
        self,
        target: str,
        base_url: str,
        *,
        client: httpx.AsyncClient,
        timeout_s: float,
        bulkhead: Bulkhead,
        breaker: pybreaker.CircuitBreaker | None,
        tracer: Tracer,
        metrics: Metrics,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self.target = target
        self._base_url = base_url
        self._client = client
        self._timeout = httpx.Timeout(timeout_s, connect=_CONNECT_TIMEOUT_S)
        self._bulkhead = bulkhead
        self._breaker = breaker
        self._tracer = tracer
        self._metrics = metrics
        self._log = log
        address = urlsplit(base_url)
        self._span_attributes: dict[str, str | int] = {
            "peer.service": target,
            "server.address": address.hostname or "",
            "server.port": address.port or 80,
        }

    async def call(self, method: str, route: str, body: Any = None, **path: str) -> Answer:
        """
        Ask the target.

        Args:
            method: HTTP method.
            route: Path template, such as ``/v1/products/{product}``.
            body: Sent as JSON unless None.
            **path: Fills the template.

        Raises:
            BulkheadFull: No slot became free in time.
            NotPermitted: The breaker is open.
            DependencyFailed: 5xx, a timeout, or no connection.
        """
        try:
            async with self._bulkhead.slot():
                return await self._guarded(method, route, body, path)
        except BulkheadFull:
            self._metrics.bulkhead_rejected.labels(self.target).inc()
            raise

    async def _guarded(self, method: str, route: str, body: Any, path: dict[str, str]) -> Answer:
        # The breaker refuses before there is a span, and judges while the span of the call is current:
        # so a refused call is not a call on the map, and a transition carries the id of the call that caused it.
        with ExitStack() as admitted:
            if self._breaker is not None:
                self._admit(admitted, self._breaker)
            with self._client_span(method, route) as span, admitted.pop_all():
                return await self._send(span, method, route.format(**path), body)

    def _admit(self, admitted: ExitStack, breaker: pybreaker.CircuitBreaker) -> None:
        try:
            admitted.enter_context(breaker.calling())
        except pybreaker.CircuitBreakerError as error:
            self._metrics.not_permitted.labels(self.target).inc()
            trace.get_current_span().add_event("circuit_breaker.not_permitted", {"breaker": self.target})
            raise NotPermitted(self.target) from error

    @contextmanager
    def _client_span(self, method: str, route: str) -> Iterator[Span]:
        attributes = {**self._span_attributes, "http.request.method": method, "url.template": route}
        began = time.perf_counter()
        outcome = "ok"
        with self._tracer.start_as_current_span(
            f"{method} {route}", kind=SpanKind.CLIENT, attributes=attributes, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except DependencyFailed as error:
                outcome = error.error_type
                span.set_attribute("error.type", error.error_type)
                span.set_status(StatusCode.ERROR, error.message)
                self._log.warning("call_failed", **error.log_fields())
                raise
            finally:
                self._metrics.call_seconds.labels(self.target, outcome).observe(time.perf_counter() - began)

    async def _send(self, span: Span, method: str, path: str, body: Any) -> Answer:
        url = f"{self._base_url}{path}"
        span.set_attribute("url.full", url)
        headers: dict[str, str] = {}
        inject(headers)
        try:
            response = await self._client.request(
                method, url, json=body, headers=headers, timeout=self._timeout
            )
        except httpx.HTTPError as error:
            what = type(error).__name__
            raise DependencyFailed(
                self.target, what, f"{self.target} did not answer {method} {path}: {what}"
            ) from error
        span.set_attribute("http.response.status_code", response.status_code)
        if response.status_code >= 500:
            message = f"{self.target} answered {response.status_code} to {method} {path}: {_said(response)}"
            raise DependencyFailed(self.target, str(response.status_code), message)
        return Answer(response.status_code, response.json())


def _said(response: httpx.Response) -> str:
    """Return the sentence of an error answer, or the beginning of what else it is."""
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200]
