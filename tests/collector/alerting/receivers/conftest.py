"""Messages as the outbox holds them: one alert, a group, a breaker, an incident, a heartbeat, a test."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from collector.alerting.receivers import Message, Receiver, render

AT = datetime(2026, 11, 22, 3, 0, 15, tzinfo=UTC)
STAMP = "2026-11-22T03:00:15.000000000Z"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def alert(**fields: Any) -> dict[str, Any]:
    """Give one alert as the payload carries it; *labels* are added to the usual ones."""
    labels = {
        "severity": "page",
        "service": "checkout",
        "env": "demo",
        "breaker": "payment",
        "target": "payment",
    }
    told = {
        "rule": "BreakerOpen",
        "state": "firing",
        "labels": labels | fields.pop("labels", {}),
        "annotations": {"summary": "checkout has lost payment for 15 s"},
        "message": "checkout has lost payment for 15 s",
        "since": "2026-11-22T03:00:00.000000000Z",
        "fired_at": STAMP,
        "resolved_at": None,
        "value": 15.0,
        "url": "https://fuse.example/breakers/checkout/payment?env=demo",
        "reason": "5 of 5 calls failed",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "instances": [],
    }
    return told | fields


def resolved(**fields: Any) -> dict[str, Any]:
    """Give an alert that is over."""
    return alert(state="resolved", resolved_at="2026-11-22T03:05:00.000000000Z", **fields)


def group(*alerts: dict[str, Any], truncated: int = 0, **fields: Any) -> dict[str, Any]:
    """Give the data of a group of *alerts*."""
    key = {
        "key": "0123abcd",
        "labels": {"service": "checkout"},
        "receiver": "pager",
    }
    incident = {"id": "inc_1", "url": "https://fuse.example/incidents/inc_1"}
    return {
        **alerts[0],
        "group": key,
        "alerts": list(alerts),
        "truncated": truncated,
        "incident": incident,
        **fields,
    }


def message(
    data: dict[str, Any] | None = None, kind: str = "alert.firing", subject: str = "rule/print"
) -> Message:
    """Give a message of *data*."""
    payload = json.dumps({"type": kind, "timestamp": STAMP, "data": alert() if data is None else data})
    return Message("msg_1", subject, payload, AT, "https://fuse.example")


@pytest.fixture
def body() -> Callable[..., Any]:
    """Give a function that renders *data* for a receiver and reads the JSON it makes."""

    def make(receiver: Receiver, *args: Any, **kwargs: Any) -> Any:
        return json.loads(render(message(*args, **kwargs), receiver).body)

    return make
