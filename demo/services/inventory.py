"""Stock: reserves what an order needs in the database it shares with catalog; a delivery comes before a shelf is empty."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from demo.database import FULL_STOCK, ShopDatabase
from demo.errors import Declined
from demo.runtime import Component, Endpoint, Runtime, json_object

_RESTOCK_BELOW = 50
_TAKE = "UPDATE stock SET available = available - ? WHERE product = ? AND available >= ? RETURNING available"


class Inventory:
    """Reservations against the table ``stock``."""

    def __init__(self, runtime: Runtime) -> None:
        self._log = runtime.log
        self._database = ShopDatabase(runtime.settings.data_dir / "shop.db", runtime.tracer)

    async def reserve(self, request: Request) -> JSONResponse:
        """Answer POST /v1/reservations with {"reservation", "items": [{"product", "quantity"}]}."""
        wanted = await json_object(request, "reservation", "items")
        reservation = str(wanted["reservation"])
        for item in wanted["items"]:
            self._reserve(reservation, str(item["product"]), int(item["quantity"]))
        self._log.info("stock_reserved", reservation=reservation, items=len(wanted["items"]))
        return JSONResponse({"reservation": reservation}, 201)

    def _reserve(self, reservation: str, product: str, quantity: int) -> None:
        rows = self._database.run(_TAKE, (quantity, product, quantity), operation="UPDATE", table="stock")
        if not rows:
            self._give_back(reservation)
            raise Declined(409, "out_of_stock", f"{product} is out of stock")
        self._database.run(
            "INSERT INTO reservations VALUES (?, ?, ?)",
            (reservation, product, quantity),
            operation="INSERT",
            table="reservations",
        )
        if rows[0][0] < _RESTOCK_BELOW:
            self._restock(product)

    def _restock(self, product: str) -> None:
        statement = "UPDATE stock SET available = ? WHERE product = ?"
        self._database.run(statement, (FULL_STOCK, product), operation="UPDATE", table="stock")
        statement = "DELETE FROM reservations WHERE product = ?"  # shipped long ago
        self._database.run(statement, (product,), operation="DELETE", table="reservations")
        self._log.info("delivery_arrived", product=product, available=FULL_STOCK)

    async def release(self, request: Request) -> JSONResponse:
        """Answer DELETE /v1/reservations/{reservation}: the items go back on the shelf."""
        reservation = request.path_params["reservation"]
        self._give_back(reservation)
        self._log.info("stock_released", reservation=reservation)
        return JSONResponse({})

    def _give_back(self, reservation: str) -> None:
        statement = "DELETE FROM reservations WHERE reservation = ? RETURNING quantity, product"
        rows = self._database.run(statement, (reservation,), operation="DELETE", table="reservations")
        for row in rows:
            statement = "UPDATE stock SET available = available + ? WHERE product = ?"
            self._database.run(statement, row, operation="UPDATE", table="stock")


def build(runtime: Runtime) -> Component:
    """POST /v1/reservations and DELETE /v1/reservations/{reservation}."""
    inventory = Inventory(runtime)
    return Component(
        (
            Endpoint("POST", "/v1/reservations", inventory.reserve),
            Endpoint("DELETE", "/v1/reservations/{reservation}", inventory.release),
        )
    )
