"""The recorded shop's rules and how noisy they are; where alerts go, and whether they got there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

At = Callable[..., str]


def rules(at: At, alert: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
    """Give path -> data; *at* gives the time so many seconds before now, *alert* is the living one."""
    ended = alert | {
        "id": "a0",
        "state": "resolved",
        "fired_at": at(90_000),
        "resolved_at": at(89_400),
        "message": "checkout's breaker payment was open for 10 min",
        "silenced_by": [],
        "inhibited_by": [],
        "incident": None,
    }
    return {
        "alerts": [ended] if query.get("state") == "resolved" else [alert],
        "alerts/noise": noise(at),
        "rules": [breaker_rule(), errors_rule(at), recording(at)],
        "receivers": [receiver(at), disabled(at)],
        "deliveries": [delivery(at, n) for n in range(3)],
        "deliveries/2": [
            delivery(at, 2) | {"payload": {"type": "alert.firing", "data": {"rule": "BreakerOpen"}}}
        ],
    }


def receiver(at: At) -> dict[str, Any]:
    """Give a receiver that takes what is sent."""
    return {
        "name": "on-call",
        "kind": "webhook",
        "url": "https://hooks.example.org/oncall",
        "types": ["alert.firing", "alert.resolved"],
        "state": "ok",
        "reason": "",
        "rate_per_minute": 600,
        "waiting": 1,
        "oldest_waiting_at": at(240),
        "last_success_at": at(239),
        "last_failure_at": at(240),
        "last_error": "503 from the receiver",
        "breaker": {"state": "closed", "failures": 0, "since": None, "retry_at": None},
        "heartbeat_s": 60.0,
    }


def disabled(at: At) -> dict[str, Any]:
    """Give a receiver that said it is gone."""
    return receiver(at) | {
        "name": "chat",
        "kind": "slack",
        "url": "https://chat.example.org/…",
        "state": "disabled",
        "reason": "it answered 410 Gone",
        "waiting": 0,
        "oldest_waiting_at": None,
        "last_success_at": None,
        "last_error": "410 Gone: disabled",
        "heartbeat_s": None,
    }


def delivery(at: At, n: int) -> dict[str, Any]:
    """Give the first, second or third of the deliveries."""
    status, error = (503, 200, 410)[n], ("503 from the receiver", None, "410 Gone: disabled")[n]
    attempt = {
        "number": n + 1,
        "started_at": at(238 + n),
        "elapsed_ms": 41.5,
        "address": "192.0.2.7",
        "status": status,
        "error": error,
        "body_excerpt": "no such hook" if error else "ok",
        "interrupted": False,
    }
    return {
        "id": n,
        "webhook_id": f"msg_2N{n}",
        "receiver": "chat" if n == 2 else "on-call",
        "type": "alert.firing",
        "url": "https://hooks.example.org/oncall",
        "status": ("pending", "delivered", "failed")[n],
        "attempts": n + 1,
        "last_status": status,
        "last_error": error,
        "created_at": at(240 + n),
        "next_attempt_at": at(-20) if n == 0 else None,
        "delivered_at": at(239) if n == 1 else None,
        "attempt_log": [attempt],
    }


def breaker_rule() -> dict[str, Any]:
    """Give the rule behind the living alert."""
    return {
        "name": "BreakerOpen",
        "kind": "breaker",
        "expr": "open for 15s",
        "for_s": 15,
        "keep_firing_for_s": 60,
        "severity": "page",
        "state": "firing",
        "alerts": {"firing": 1},
        "group": "breakers",
        "file": "rules/breakers.yml",
        "line": 4,
        "id": "r1",
        "labels": {"team": "shop", "severity": "page"},
        "annotations": {
            "summary": "a breaker stays open",
            "runbook_url": "https://wiki.example/runbooks/breaker-open",
        },
        "interval_s": 15,
        "limit": 0,
        "health": "ok",
        "last_error": "",
        "last_evaluation": None,
        "evaluation_s": 0.0,
    }


def errors_rule(at: At) -> dict[str, Any]:
    """Give a rule of PromQL that cannot be evaluated any more."""
    return breaker_rule() | {
        "name": "CartErrors",
        "kind": "expr",
        "expr": 'sum by (service_name) (rate(http_requests_total{status=~"5.."}[5m])) > 0.05',
        "for_s": 300,
        "keep_firing_for_s": 0,
        "severity": "ticket",
        "state": "inactive",
        "alerts": {},
        "group": "cart",
        "file": "rules/cart.yml",
        "line": 6,
        "id": "r2",
        "limit": 20,
        "health": "err",
        "last_error": "it yields 31 alerts, more than its group's limit of 20",
        "last_evaluation": at(9),
        "evaluation_s": 0.0042,
    }


def recording(at: At) -> dict[str, Any]:
    """Give a rule that records."""
    return errors_rule(at) | {
        "name": "service:requests:rate5m",
        "kind": "record",
        "expr": "sum by (service_name) (rate(http_requests_total[5m]))",
        "for_s": 0,
        "severity": "",
        "line": 12,
        "id": "r3",
        "health": "ok",
        "last_error": "",
    }


def noise(at: At) -> list[dict[str, Any]]:
    """Give the noise report."""
    return [
        {
            "rule": "BreakerOpen",
            "rule_id": "r1",
            "fired": 14,
            "acknowledged": 3,
            "unacknowledged": 11,
            "short": 9,
            "firing": 1,
            "subjects": 2,
            "mean_duration_s": 212.0,
            "last_fired_at": at(245),
            "advice": "9 of 14 ended within 5 minutes: give it a longer `for`",
        }
    ]
