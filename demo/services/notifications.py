"""Tells customers that their order is placed: takes messages from the queue ``orders``, remembers the last ones."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from demo.errors import Declined, ShopError
from demo.queue import Message, OrderQueue
from demo.runtime import Component, Endpoint, Runtime

_POLL_S = 0.2  # how late a notification may be; the look-up costs ~30 µs
_REMEMBERED = 1000


class Notifications:
    """The consumer of ``orders``."""

    def __init__(self, runtime: Runtime) -> None:
        self._faults = runtime.faults
        self._log = runtime.log
        self._metrics = runtime.metrics
        self._queue = OrderQueue(runtime.settings.data_dir / "queue.db", "orders", runtime.tracer)
        self._metrics.watch_queue("orders", self._queue.waiting)
        self._sent: OrderedDict[str, dict[str, Any]] = OrderedDict()

    async def consume(self) -> None:
        """Take messages until cancelled."""
        while True:
            message = self._queue.take()
            if message is None:
                await asyncio.sleep(_POLL_S)
            else:
                await self._process(message)

    async def _process(self, message: Message) -> None:
        try:
            with self._queue.processing(message):
                await self._notify(message)
        except ShopError:
            self._metrics.messages.labels("orders", "failed").inc()
        else:
            self._metrics.messages.labels("orders", "processed").inc()

    async def _notify(self, message: Message) -> None:
        order = message.body["order"]
        try:
            await self._faults.meet()
        except ShopError as error:
            self._log.error("notification_failed", order=order, **error.log_fields())
            raise
        self._sent[order] = message.body
        if len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)
        self._log.info("notification_sent", order=order, user=message.body["user"], attempt=message.attempts)

    async def sent(self, request: Request) -> JSONResponse:
        """Answer GET /v1/notifications/{order}."""
        order = request.path_params["order"]
        if order not in self._sent:
            raise Declined(404, "not_notified", f"nobody was told about order {order!r}")
        return JSONResponse(self._sent[order])


def build(runtime: Runtime) -> Component:
    """GET /v1/notifications/{order}, and the loop that consumes the queue."""
    notifications = Notifications(runtime)
    return Component(
        (Endpoint("GET", "/v1/notifications/{order}", notifications.sent),), (notifications.consume,)
    )
