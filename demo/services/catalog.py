"""Products and whether they are in stock: reads two tables, one of which belongs to inventory."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from demo.database import ShopDatabase
from demo.errors import Declined
from demo.runtime import Component, Endpoint, Runtime

_SELECT = """SELECT products.product, name, price_cents, available
FROM products JOIN stock ON stock.product = products.product"""


def build(runtime: Runtime) -> Component:
    """GET /v1/products and /v1/products/{product}."""
    database = ShopDatabase(runtime.settings.data_dir / "shop.db", runtime.tracer)

    async def products(_request: Request) -> JSONResponse:
        rows = database.run(_SELECT, operation="SELECT", table="products")
        return JSONResponse([_product(*row) for row in rows])

    async def product(request: Request) -> JSONResponse:
        wanted = request.path_params["product"]
        statement = f"{_SELECT} WHERE products.product = ?"
        rows = database.run(statement, (wanted,), operation="SELECT", table="products")
        if not rows:
            raise Declined(404, "no_such_product", f"no product is called {wanted!r}")
        return JSONResponse(_product(*rows[0]))

    return Component(
        (Endpoint("GET", "/v1/products", products), Endpoint("GET", "/v1/products/{product}", product))
    )


def _product(product: str, name: str, price_cents: int, available: int) -> dict[str, str | int | bool]:
    return {"product": product, "name": name, "price_cents": price_cents, "in_stock": available > 0}
