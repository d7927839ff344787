"""The recorded shop's incidents and silences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

At = Callable[..., str]


def incidents(at: At) -> dict[str, Any]:
    """Give path -> data of all of these; *at* gives the time so many seconds before now."""
    listed = incident(at)
    whole = {**listed, **depth(at)}
    other = {
        **listed,
        "id": "77aa",
        "title": "search is in trouble in demo",
        "service": "search",
        "state": "acknowledged",
        "cause": None,
    }
    ended = {**other, "id": "9b2c", "state": "resolved", "resolved_at": at(90), "alerts_firing": 0}
    return {
        "incidents": [listed, other, ended],
        "incidents/1f3a": [whole],
        "silences": silences(at),
        "silences/preview": [
            {
                "id": "a1",
                "rule": "BreakerOpen",
                "state": "firing",
                "labels": {"service": "checkout", "env": "demo"},
            }
        ],
    }


def incident(at: At) -> dict[str, Any]:
    """Give a row of /incidents."""
    return {
        "id": "1f3a",
        "title": "payment is in trouble in demo",
        "state": "open",
        "severity": "page",
        "service": "payment",
        "env": "demo",
        "opened_at": at(245),
        "acknowledged_at": None,
        "resolved_at": None,
        "updated_at": at(200),
        "merged_into": None,
        "alerts_firing": 2,
        "alerts_count": 2,
        "cause": cause(at),
        "url": "http://127.0.0.1:4318/incidents/1f3a",
    }


def cause(at: At) -> dict[str, Any]:
    """Give a suspected cause."""
    return {
        "service": "payment",
        "env": "demo",
        "kind": "service",
        "score": 0.93,
        "began": at(300),
        "path": ["gateway", "checkout", "payment"],
        "evidence": [
            {
                "code": "errors",
                "message": "62.0% of its calls fail since 03:10 UTC, usually 0.1%",
                "value": 0.62,
                "threshold": 0.001,
                "url": "/traces",
            }
        ],
    }


def depth(at: At) -> dict[str, Any]:
    """Give what /incidents/{id} has besides."""
    evidence = [
        {
            "by": "breaker",
            "caller": "checkout",
            "callee": "payment",
            "message": "checkout's breaker 'payment' on payment is open",
        }
    ]
    alert = {
        "id": "a1",
        "rule": "BreakerOpen",
        "state": "firing",
        "labels": {"service": "checkout"},
        "message": "checkout lost payment",
        "since": at(260),
        "fired_at": at(245),
        "resolved_at": None,
        "url": "/",
        "evidence": evidence,
    }
    return {
        "alerts": [
            alert,
            {
                **alert,
                "id": "a2",
                "rule": "PaymentErrors",
                "labels": {"service": "payment"},
                "message": "payment fails",
                "evidence": [],
            },
        ],
        "timeline": [
            {
                "at": at(300),
                "kind": "transition",
                "by": "",
                "text": "checkout's breaker payment on payment closed → open",
                "url": None,
            },
            {"at": at(245), "kind": "opened", "by": "", "text": "payment fails", "url": None},
            {"at": at(120), "kind": "note", "by": "ana", "text": "restarting the card terminal", "url": None},
        ],
        "causes": [cause(at)],
        "impact": {
            "callers": [{"service": "checkout", "share": 1.0, "requests": 900}],
            "endpoints": ["POST /v1/charge"],
            "share": 0.62,
            "users_share": 0.31,
        },
        "logs": [
            {
                "id": "b1:3",
                "occurred_at": at(290),
                "service": "payment",
                "severity": "error",
                "body": "charge failed: card processor refused",
                "trace_id": "a" * 32,
            }
        ],
        "traces": [
            {
                "trace_id": "a" * 32,
                "root_service": "gateway",
                "root_name": "POST /checkout",
                "start": at(290),
                "duration_ms": 91.4,
                "spans": 9,
                "services": ["gateway"],
                "error": True,
            }
        ],
        "pinned_at": at(15),
    }


def silences(at: At) -> list[dict[str, Any]]:
    """Give /silences: one active, one window, one that has ended."""
    one = {
        "id": "5f0c",
        "state": "active",
        "matchers": [{"name": "service", "value": "checkout", "is_regex": False, "is_equal": True}],
        "text": 'service="checkout"',
        "starts_at": at(600),
        "ends_at": at(-3600),
        "schedule": None,
        "until": at(-3600),
        "next_at": None,
        "created_by": "ana",
        "comment": "replacing the card terminal",
        "created_at": at(600),
        "updated_at": at(600),
        "alerts": [],
        "alerts_count": 1,
    }
    window = {"weekdays": ["sat", "sun"], "start": "22:00", "end": "04:00", "timezone": "Europe/Berlin"}
    nightly = {
        **one,
        "id": "6a1d",
        "state": "pending",
        "text": 'service="bank"',
        "schedule": window,
        "ends_at": None,
        "until": None,
        "next_at": at(-40000),
        "comment": "the bank's nights",
        "alerts_count": 0,
    }
    return [
        one,
        nightly,
        {**one, "id": "7b2e", "state": "expired", "until": None, "ends_at": at(60), "text": 'service="cart"'},
    ]
