"""Orders: the cart's lines are reserved, paid, announced on the queue ``orders``, and the cart is emptied."""

from __future__ import annotations

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from demo.errors import Declined, ShopError
from demo.queue import OrderQueue
from demo.runtime import Component, Endpoint, Runtime, json_object


class Checkout:
    """One order at a time, step by step; a failed payment gives the reservation back."""

    def __init__(self, runtime: Runtime) -> None:
        self._log = runtime.log
        self._metrics = runtime.metrics
        self._to = runtime.dependencies
        self._queue = OrderQueue(runtime.settings.data_dir / "queue.db", "orders", runtime.tracer)

    async def order(self, request: Request) -> JSONResponse:
        """Answer POST /v1/orders with {"user", "card"}."""
        wanted = await json_object(request, "user", "card")
        try:
            placed = await self._place(str(wanted["user"]), str(wanted["card"]))
        except ShopError as error:
            self._metrics.orders.labels(error.code).inc()
            raise
        self._metrics.orders.labels("placed").inc()
        return JSONResponse(placed, 201)

    async def _place(self, user: str, card: str) -> dict[str, Any]:
        cart = (await self._to["cart"].call("GET", "/v2/cart/{user}", user=user)).body
        if not cart["lines"]:
            raise Declined(409, "cart_empty", f"the cart of {user} is empty")
        order = uuid.uuid4().hex[:12]
        await self._reserve(order, cart["lines"])
        await self._pay(order, user, card, cart["total_cents"])
        placed = {"order": order, "user": user, "total_cents": cart["total_cents"]}
        message = self._queue.send(placed)
        self._metrics.messages.labels("orders", "sent").inc()
        self._log.info("order_placed", **placed, **{"messaging.message.id": message})
        await self._to["cart"].call("DELETE", "/v2/cart/{user}", user=user)
        return placed

    async def _reserve(self, order: str, lines: list[dict[str, Any]]) -> None:
        items = [{"product": line["product"], "quantity": line["quantity"]} for line in lines]
        body = {"reservation": order, "items": items}
        answer = await self._to["inventory"].call("POST", "/v1/reservations", body)
        if answer.status != 201:
            raise Declined(answer.status, answer.body["error"]["code"], answer.body["error"]["message"])

    async def _pay(self, order: str, user: str, card: str, cents: int) -> None:
        body = {"order": order, "user": user, "card": card, "cents": cents}
        try:
            answer = await self._to["payment"].call("POST", "/v1/payments", body)
            if answer.status != 201:
                raise Declined(answer.status, answer.body["error"]["code"], answer.body["error"]["message"])
        except ShopError:
            await self._to["inventory"].call("DELETE", "/v1/reservations/{reservation}", reservation=order)
            raise


def build(runtime: Runtime) -> Component:
    """POST /v1/orders."""
    return Component((Endpoint("POST", "/v1/orders", Checkout(runtime).order),))
