"""
Carts, in memory: product -> quantity per user; prices come from catalog.

``GET /v1/cart/{user}`` is the old version: product names only. One old client still calls it.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from demo.errors import Declined
from demo.runtime import Component, Endpoint, Runtime, json_object

_MAX_LINES = 5  # products per cart; the oldest goes, so that carts nobody checks out stay small

_MAX_QUANTITY = 20


class Carts:
    """The carts and their routes."""

    def __init__(self, runtime: Runtime) -> None:
        self._catalog = runtime.dependencies["catalog"]
        self._log = runtime.log
        self._carts: dict[str, dict[str, int]] = {}

    async def old(self, request: Request) -> JSONResponse:
        """Answer GET /v1/cart/{user}."""
        return JSONResponse({"items": list(self._carts.get(request.path_params["user"], {}))})

    async def current(self, request: Request) -> JSONResponse:
        """Answer GET /v2/cart/{user}: lines with prices, and the total."""
        user = request.path_params["user"]
        lines = [await self._line(product, count) for product, count in self._carts.get(user, {}).items()]
        return JSONResponse(
            {"user": user, "lines": lines, "total_cents": sum(line["cents"] for line in lines)}
        )

    async def _line(self, product: str, quantity: int) -> dict[str, Any]:
        answer = await self._catalog.call("GET", "/v1/products/{product}", product=product)
        return {"product": product, "quantity": quantity, "cents": quantity * answer.body["price_cents"]}

    async def add(self, request: Request) -> JSONResponse:
        """Answer POST /v2/cart/{user}/items with {"product", "quantity"}."""
        user = request.path_params["user"]
        item = await json_object(request, "product", "quantity")
        quantity = _quantity(item["quantity"])
        known = await self._catalog.call("GET", "/v1/products/{product}", product=str(item["product"]))
        if known.status != 200:
            raise Declined(404, "no_such_product", f"no product is called {item['product']!r}")
        cart = self._carts.setdefault(user, {})
        cart[known.body["product"]] = quantity
        while len(cart) > _MAX_LINES:
            del cart[next(iter(cart))]
        self._log.info("item_added", user=user, product=known.body["product"], quantity=quantity)
        return JSONResponse({"user": user, "lines": len(cart)}, 201)

    async def empty(self, request: Request) -> JSONResponse:
        """Answer DELETE /v2/cart/{user}."""
        self._carts.pop(request.path_params["user"], None)
        return JSONResponse({})


def _quantity(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_QUANTITY:
        raise Declined(
            400, "bad_quantity", f"quantity is {value!r}: give a whole number from 1 to {_MAX_QUANTITY}"
        )
    return value


def build(runtime: Runtime) -> Component:
    """GET /v1/cart (old), GET, POST and DELETE /v2/cart."""
    carts = Carts(runtime)
    return Component(
        (
            Endpoint("GET", "/v1/cart/{user}", carts.old),
            Endpoint("GET", "/v2/cart/{user}", carts.current),
            Endpoint("POST", "/v2/cart/{user}/items", carts.add),
            Endpoint("DELETE", "/v2/cart/{user}", carts.empty),
        )
    )
