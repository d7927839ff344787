"""The only door: passes each public route to the service that owns it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from demo.runtime import Component, Endpoint, Handler, Runtime, json_object


def build(runtime: Runtime) -> Component:
    """Routes: public path template -> (callee, its path template)."""
    table = (
        ("GET", "/products", "catalog", "/v1/products"),
        ("GET", "/products/{product}", "catalog", "/v1/products/{product}"),
        ("GET", "/v1/cart/{user}", "cart", "/v1/cart/{user}"),
        ("GET", "/v2/cart/{user}", "cart", "/v2/cart/{user}"),
        ("POST", "/v2/cart/{user}/items", "cart", "/v2/cart/{user}/items"),
        ("POST", "/v2/orders", "checkout", "/v1/orders"),
    )
    return Component(
        tuple(Endpoint(method, route, _forward(runtime, method, *target)) for method, route, *target in table)
    )


def _forward(runtime: Runtime, method: str, target: str, route: str) -> Handler:
    dependency = runtime.dependencies[target]

    async def forward(request: Request) -> JSONResponse:
        body: Any = await json_object(request) if method == "POST" else None
        answer = await dependency.call(method, route, body, **request.path_params)
        return JSONResponse(answer.body, answer.status)

    return forward
