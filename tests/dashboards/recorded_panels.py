"""The recorded shop's databases, keys, people, settings, metrics, statements, dashboards and volume."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

At = Callable[[float], str]

WHO = {"name": "", "kind": "anyone", "role": "admin", "may": ["read", "change", "manage"]}
SETTINGS = [
    {"name": "host", "value": "127.0.0.1", "help": "Address to listen on."},
    {"name": "admin_key", "value": "********", "help": "A key that may do everything."},
    {"name": "public_url", "value": "", "help": "Where people open the dashboards."},
]
SQL_ABOUT = {
    "limits": {"time_s": 30.0, "memory_bytes": 2_000_000_000, "result_rows": 1_000_000, "result_bytes": 268_435_456, "read_rows": 10_000_000_000},
    "tables": [
        {"table": "logs", "columns": [{"name": "occurred_at", "type": "DateTime64(9, 'UTC')"}, {"name": "service", "type": "LowCardinality(String)"}]},
        {"table": "spans", "columns": [{"name": "trace_id", "type": "String"}]},
    ],
}  # fmt: skip
SQL_ROWS = [
    {"service": "payment", "n": 4120, "body": "charge failed"},
    {"service": "cart", "n": 9200, "body": None},
]
LABELS = {
    "metrics/labels": ["__name__", "service_name", "route"],
    "metrics/label/__name__/values": ["http_requests_total", "up"],
    "metrics/label/service_name/values": ["cart", "payment"],
}


def databases(at: At) -> list[dict[str, Any]]:
    """Give /databases: one that two services write, one of a single service."""

    def user(service: str, calls: int, writes: int) -> dict[str, Any]:
        return {"service": service, "calls": calls, "writes": writes, "errors": 0, "mean_ms": 2.4, "last_call": at(4)}  # fmt: skip

    return [
        {
            "env": "demo", "system": "postgresql", "namespace": "orders", "servers": ["pg:5432"], "shared": True,
            "finding": "checkout and inventory share it; several of them write orders",
            "services": [user("checkout", 900, 300), user("inventory", 400, 20)],
            "tables": [{"table": "orders", "shared": True, "services": ["checkout", "inventory"], "writers": ["checkout", "inventory"]}],
        },
        {
            "env": "demo", "system": "redis", "namespace": "", "servers": ["redis:6379"], "shared": False, "finding": None,
            "services": [user("cart", 9000, 4000)], "tables": [],
        },
    ]  # fmt: skip


def keys(at: At) -> list[dict[str, Any]]:
    """Give /keys: one of the settings, one bound, one revoked."""

    def key(name: str, state: str, source: str = "api", **fields: Any) -> dict[str, Any]:
        empty = dict.fromkeys(("rotated_at", "overlap_until", "expires_at", "revoked_at", "last_used_at"))
        return {
            "id": "" if source == "settings" else f"id-{name}", "name": name, "kind": "ingest", "role": None, "services": [], "envs": [],
            "masked": "…x9Qz", "state": state, "source": source, "created_at": at(86_400), "created_by": "ana", **empty, **fields,
        }  # fmt: skip

    return [
        key("admin", "active", "settings", kind="read", role="admin", masked="********"),
        key("cart in prod", "active", services=["cart"], envs=["prod"], last_used_at=at(3)),
        key("old", "revoked", revoked_at=at(60)),
    ]


def people(at: At) -> list[dict[str, Any]]:
    """Give /users."""
    return [
        {"name": "ana", "role": "admin", "disabled": False, "created_at": at(86_400), "created_by": "", "signed_in_at": at(600)},
        {"name": "bo", "role": "viewer", "disabled": True, "created_at": at(3600), "created_by": "ana", "signed_in_at": None},
    ]  # fmt: skip


def matrix(end_s: float) -> dict[str, Any]:
    """Give the data of /metrics/query_range: two series, one with a hole."""

    def series(service: str, hole: range) -> dict[str, Any]:
        points = [
            [
                end_s - 60 * step,
                "NaN" if step == 5 and service == "cart" else str(10 + 3 * math.sin(step / 4)),
            ]
            for step in range(59, -1, -1)
            if step not in hole
        ]
        return {"metric": {"__name__": "http_requests_total", "service_name": service, "route": "/v1/cart"}, "values": points}  # fmt: skip

    return {"resultType": "matrix", "result": [series("cart", range(0)), series("payment", range(10, 20))]}


def exemplars(end_s: float, trace: str) -> list[dict[str, Any]]:
    """Give the data of /metrics/query_exemplars."""
    return [
        {
            "seriesLabels": {"__name__": "http_requests_total", "service_name": "cart"},
            "exemplars": [{"labels": {"trace_id": trace, "span_id": "00f067aa0ba902b7"}, "value": "11.5", "timestamp": end_s - 600}],
        }
    ]  # fmt: skip


def metadata() -> dict[str, Any]:
    """Give the data of /metrics/metadata."""
    return {"http_requests_total": [{"type": "counter", "help": "Requests served.", "unit": ""}]}


PANELS = [
    {"kind": "metric", "title": "Requests", "queries": ["http_requests_total"], "text": "", "unit": "per_second", "width": 8, "height": 2},
    {"kind": "breakers", "title": "", "queries": ["checkout"], "text": "", "unit": "", "width": 4, "height": 2},
    {"kind": "log_count", "title": "Errors", "queries": ["severity:>=error"], "text": "", "unit": "", "width": 6, "height": 2},
    {"kind": "logs", "title": "Newest", "queries": [""], "text": "", "unit": "", "width": 6, "height": 2},
    {"kind": "text", "title": "Read me", "queries": [], "text": "Whom to call: team-pay", "unit": "", "width": 12, "height": 1},
]  # fmt: skip


def board(at: At) -> dict[str, Any]:
    """Give one dashboard."""
    return {
        "id": "b0a2d1", "name": "Cart at a glance", "description": "For the shift.", "panels": PANELS, "revision": 3, "updated_at": at(3600),
        "updated_by": "ana",
    }  # fmt: skip


VOLUME = [
    {
        "service": "cart", "env": "demo", "signal": "logs", "rows": 1_200_000, "rows_per_s": 333.3, "share": 0.8, "bytes": 400_000_000,
        "series": None, "severities": {"debug": 900_000, "info": 300_000},
        "advice": [{"code": "debug", "message": "75% of its records are debug or trace: drop them at the agent", "spares_rows": 900_000, "spares_ratio": 0.75, "snippet": "[sample]\ndebug = 0\ntrace = 0\n"}],
    },
    {"service": "payment", "env": "demo", "signal": "metrics", "rows": 40_000, "rows_per_s": 11.1, "share": 1.0, "bytes": 900_000, "series": 150, "severities": {}, "advice": []},
]  # fmt: skip
CARDINALITY = [
    {
        "metric": "http_requests_total", "type": "counter", "services": ["cart"], "series": 150, "samples": 36_000,
        "labels": [{"label": "user", "values": 150, "examples": ["u1", "u2"]}, {"label": "code", "values": 3, "examples": ["200"]}],
        "advice": "the label user has 150 values, such as 'u1', 'u2': take it off where the metric is made",
    }
]  # fmt: skip


def queues(at: At) -> list[dict[str, Any]]:
    """Give /queues: one that grows."""
    user = {"rate": 12.0, "error_ratio": 0.01, "mean_ms": 8.0, "last_seen": at(3)}
    return [
        {
            "queue": "orders", "system": "rabbitmq", "env": "demo", "producers": [{"service": "checkout", "sends_to": "orders", **user}],
            "consumers": [{"service": "notifications", "group": "mail", **user}], "rate_in": 12.0, "rate_out": 4.0, "lag": 4200.0, "ready": 4100.0,
            "unacked": 100.0, "consumer_count": 1.0, "groups": [{"group": "mail", "lag": 4200.0, "members": 1.0, "rate_out": 4.0}],
            "waited_p50_ms": 900.0, "waited_p95_ms": 61_000.0, "verdict": "growing", "drain_s": None,
            "evidence": [{"code": "growing", "message": "it grows by 8 messages a second", "value": 8.0, "threshold": 0.0}],
            "dead_letter": False, "dead_letters_of": None,
        }
    ]  # fmt: skip


def clients(at: At) -> list[dict[str, Any]]:
    """Give /gateway: one client that feels an outage."""
    route = {
        "method": "POST",
        "route": "/checkout",
        "calls": 400,
        "rate": 0.1,
        "error_ratio": 0.62,
        "p95_ms": 2100.0,
    }
    return [
        {
            "service": "gateway", "env": "demo", "by": "client", "client": "mobile-app", "source": "spans", "calls": 900, "rate": 0.25,
            "error_ratio": 0.3, "p95_ms": 2100.0, "share": 0.7, "last_call": at(2), "feels_outage": True, "routes": [route],
        }
    ]  # fmt: skip


def compared(deploys: list[dict[str, Any]], at: At) -> list[dict[str, Any]]:
    """Give the rows of /deploys with what was found of them; the first made things worse."""
    numbers = {
        "calls": 900,
        "rate": 0.5,
        "error_ratio": 0.62,
        "p50_ms": 30.0,
        "p95_ms": 2100.0,
        "p99_ms": 3000.0,
    }
    none = {
        "previous": None,
        "markers": [],
        "verdict": "too_little_data",
        "evidence": [],
        "basis": None,
        "after": numbers,
        "baselines": {},
        "breakers_opened": [],
        "new_patterns": None,
    }
    worse = {
        "previous": "1.4.1", "verdict": "regressed", "basis": "before", "baselines": {"before": {**numbers, "error_ratio": 0.001, "p95_ms": 40.0}},
        "markers": [{"id": "m1", "service": "payment", "version": "1.4.2", "env": "demo", "at": at(900), "by": "pipeline 7", "commit": "abc123", "url": "https://ci.example/7", "description": "faster charges"}],
        "evidence": [{"code": "errors", "direction": "worse", "message": "62% of its calls fail, 0.1% before", "value": 0.62, "baseline": 0.001, "statistic": 21.0}],
        "breakers_opened": [{"service": "checkout", "breaker": "payment", "target": "payment", "at": at(260), "on_it": True}],
        "new_patterns": [{"template": "charge failed: <*>", "count": 9100, "severity": "error", "first_seen": at(260), "query": "charge failed"}],
    }  # fmt: skip
    return [
        {**row, "at": row["first_seen"], **none, **(worse if index == 0 else {})}
        for index, row in enumerate(deploys)
    ]


def panels(at: At, end_s: float, trace: str) -> dict[str, Any]:
    """Give path -> data of all of these."""
    listed = board(at)
    return {
        "session": [WHO],
        "databases": databases(at),
        "queues": queues(at),
        "gateway": clients(at),
        "keys": keys(at),
        "users": people(at),
        "settings": SETTINGS,
        "sql": SQL_ROWS,
        "sql/about": [SQL_ABOUT],
        "dashboards": [{**listed, "panels": len(PANELS)}],
        f"dashboards/{listed['id']}": [listed],
        "volume": VOLUME,
        "cardinality": CARDINALITY,
        "metrics/query_range": matrix(end_s),
        "metrics/query_exemplars": exemplars(end_s, trace),
        "metrics/metadata": metadata(),
        **LABELS,
    }
