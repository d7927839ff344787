"""Payments: takes the money, or declines the card with a 402 (an answer of the business, not an error)."""

from __future__ import annotations

import uuid

from starlette.requests import Request
from starlette.responses import JSONResponse

from demo.errors import Declined
from demo.runtime import Component, Endpoint, Runtime, json_object

DECLINED_CARDS = "declined-"


def build(runtime: Runtime) -> Component:
    """POST /v1/payments with {"order", "user", "card", "cents"}."""

    async def pay(request: Request) -> JSONResponse:
        wanted = await json_object(request, "order", "user", "card", "cents")
        order, card = str(wanted["order"]), str(wanted["card"])
        if card.startswith(DECLINED_CARDS):
            runtime.log.info("payment_declined", order=order, user=wanted["user"])
            raise Declined(402, "card_declined", f"the bank declined the card of order {order}")
        payment = uuid.uuid4().hex[:12]
        runtime.log.info("payment_taken", order=order, payment=payment, cents=wanted["cents"])
        return JSONResponse({"payment": payment}, 201)

    return Component((Endpoint("POST", "/v1/payments", pay),))
