"""What the recorded API answers: a shop at 3:15 whose payment has been refusing cards for four minutes."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.dashboards import recorded_incidents, recorded_panels, recorded_rules, recorded_traces

NOW = datetime(2026, 11, 22, 3, 15, 0, tzinfo=UTC)
OPENED = NOW - timedelta(minutes=4, seconds=20)
SPANS = "00f067aa0ba902"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SERVICES = ("cart", "catalog", "checkout", "gateway", "inventory", "notifications", "payment")
THINGS = (("orders", "database"), ("order-placed", "queue"))
EDGES = (
    ("checkout", "order-placed"),
    ("order-placed", "notifications"),
    ("inventory", "orders"),
    ("gateway", "catalog"),
    ("gateway", "cart"),
    ("gateway", "checkout"),
    ("cart", "catalog"),
    ("checkout", "cart"),
    ("checkout", "payment"),
    ("checkout", "inventory"),
)
BREAKERS = (
    ("checkout", "payment"),
    ("checkout", "inventory"),
    ("gateway", "checkout"),
    ("gateway", "catalog"),
    ("cart", "catalog"),
)

PATTERNS: list[dict[str, Any]] = [
    {
        "template": template,
        "count": count,
        "share": count / 10_000,
        "first_seen": "2026-11-22T02:16:00.000000000Z",
        "last_seen": "2026-11-22T03:14:58.000000000Z",
        "trend": [count // 40 + step % 7 for step in range(40)],
        "trend_start": "2026-11-22T02:15:00.000000000Z",
        "trend_step_s": 90.0,
        "severity": severity,
        "services": ["checkout"],
        "examples": [{"id": "b:1", "body": template.replace("<*>", "4711")}],
        "new": new,
        "query": "body:/x/",
    }
    for template, count, severity, new in (
        ("order <*> accepted for customer <*>", 9_100, "info", False),
        ("charge failed: card processor: <*>", 160, "error", True),
        ("cart <*> expired", 3, "debug", False),
    )
]


def at(seconds_ago: float = 0.0, since: datetime = NOW) -> str:
    """Give RFC 3339 with nanoseconds, *seconds_ago* before *since*."""
    return (since - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def service(name: str) -> dict[str, Any]:
    """Give one row of /services."""
    health = {"payment": "unhealthy", "checkout": "degraded"}.get(name, "healthy")
    ratio = {"payment": 0.62, "checkout": 0.18, "gateway": 0.04}.get(name, 0.0)
    reasons = {
        "payment": [
            {
                "code": "error_ratio",
                "message": "62 % of requests fail (usually 0.1 %)",
                "value": 0.62,
                "threshold": 0.05,
                "url": "/traces?service=payment&error=true",
            }
        ],
        "checkout": [
            {
                "code": "breaker_open",
                "message": "its breaker payment is open",
                "value": 1,
                "threshold": 0,
                "url": "/breakers/checkout/payment",
            }
        ],
    }.get(name, [])
    held = [key for key in BREAKERS if key[0] == name]
    opened = 1 if name == "checkout" else 0
    return {
        "service": name,
        "env": "demo",
        "health": health,
        "reasons": reasons,
        "rate": 12.345,
        "error_ratio": ratio,
        "p50_ms": 8.21,
        "p95_ms": 2105.0 if name == "payment" else 41.5,
        "p99_ms": 3000.2 if name == "payment" else 90.1,
        "versions": ["1.4.2"],
        "breakers": {"open": opened, "half_open": 0, "closed": len(held) - opened, "unknown": 0},
        "owner": "team-pay" if name == "payment" else None,
        "last_seen": at(2),
    }


def edge(caller: str, callee: str) -> dict[str, Any]:
    """Give one edge of /map."""
    failing = callee == "payment"
    guarded = (caller, callee) in BREAKERS
    return {
        "caller": caller,
        "callee": callee,
        "protocol": {"order-placed": "kafka", "orders": "sqlite"}.get(callee, "http"),
        "rate": 4.2,
        "error_ratio": 0.62 if failing else 0.0,
        "p95_ms": 2105.0 if failing else 31.0,
        "breaker": {"name": callee, "state": "open" if failing else "closed"} if guarded else None,
        "protected": guarded,
    }


def thing(name: str, kind: str) -> dict[str, Any]:
    """Give a node of /map that is no service."""
    unknown = {"health": "unknown", "rate": None, "error_ratio": None, "p95_ms": None}
    return {"id": name, "service": name, "kind": kind, **unknown}


def service_detail(name: str) -> dict[str, Any]:
    """Give the one row of /services/{service}."""
    minutes = range(60, 0, -1)
    broken = name in ("payment", "checkout")
    return service(name) | {
        "series": [
            {
                "at": at(60 * m),
                "rate": 12 + 3 * math.sin(m / 5),
                "error_ratio": 0.6 if broken and m < 5 else 0.001,
                "p50_ms": None if m == 30 else 8 + m % 3,
                "p95_ms": 2100.0 if broken and m < 5 else 40 + m % 7,
                "p99_ms": 3000.0 if broken and m < 5 else 80 + m % 11,
            }
            for m in minutes
        ],
        "logs": [
            {"at": at(60 * m), "error": 30 if m < 5 else 0, "warn": m % 4, "total": 200 + m} for m in minutes
        ],
        "callers": [edge(*e) for e in EDGES if e[1] == name],
        "callees": [edge(*e) for e in EDGES if e[0] == name],
    }


def transition(seconds_ago: float, old: str, new: str, instance: str = "checkout-1") -> dict[str, Any]:
    """Give one transition of checkout's breaker on payment."""
    return {
        "at": at(seconds_ago),
        "service": "checkout",
        "env": "demo",
        "breaker": "payment",
        "target": "payment",
        "instance": instance,
        "from": old,
        "to": new,
        "reason": "failure rate 60 % over 20 calls",
        "failure_rate": 0.6,
        "slow_call_rate": 0.1,
        "calls": 20,
        "not_permitted": 0 if new == "open" else 57,
        "derived": False,
        "trace_id": TRACE if new == "open" else "",
        "span_id": "00f067aa0ba902b7" if new == "open" else "",
    }


TRANSITIONS = [
    transition(5, "half_open", "open"),
    transition(10, "open", "half_open"),
    transition(250, "closed", "open", "checkout-2"),
    transition(260, "closed", "open"),
]


def breaker(holder: str, name: str) -> dict[str, Any]:
    """Give one row of /breakers."""
    is_open = (holder, name) == ("checkout", "payment")
    state = "open" if is_open else "closed"
    since = at(0, OPENED) if is_open else at(86400)
    instances = [{"instance": f"{holder}-{i}", "state": state, "since": since} for i in (1, 2)]
    if is_open:
        instances.append({"instance": "checkout-3", "state": "closed", "since": at(7200)})
    cause = {
        "service": "payment",
        "trace_id": TRACE,
        "span_id": "00f067aa0ba902b9",
        "name": "POST /v1/charge",
        "status_message": "card processor: connection refused",
        "at": at(262),
        "message": "charge failed",
        "tripped_by": {
            "kind": "errors",
            "calls": 1240,
            "failed": 769,
            "error_ratio": 0.62,
            "usual_error_ratio": 0.001,
            "p95_ms": 61.0,
            "usual_p95_ms": 58.0,
        },
    }
    blast = {
        "callers": [{"service": "gateway", "share": 0.31, "requests": 412}],
        "endpoints": ["POST /checkout"],
        "share": 0.31,
        "upstream": [{"service": "gateway", "distance": 1, "share": 0.18}],
        "entries": [
            {
                "service": "gateway",
                "share": 0.18,
                "requests": 2290,
                "routes": [{"route": "POST /shop/checkout", "requests": 1330, "failed": 412}],
            }
        ],
        "users_share": 0.18,
    }
    hint = {
        "code": "wait_short",
        "message": "it tries again after 5 s, and the callee takes 240 s to recover: 40 trials per opening",
        "evidence": {"wait_s": 5.0, "recovery_s": 240.0, "trials": 40, "openings": 3},
        "change": "wait longer in the open state: about 120 s",
    }
    return {
        "service": holder,
        "env": "demo",
        "breaker": name,
        "target": name,
        "state": state,
        "since": since,
        "instances": instances,
        "agree": not is_open,
        "opens_1h": 3 if is_open else 0,
        "flapping": is_open,
        "stuck": False,
        "stale": False,
        "not_permitted_1h": 1412 if is_open else 0,
        "derived": False,
        "trace_id": TRACE if is_open else "",
        "cause": cause if is_open else None,
        "blast_radius": blast if is_open else None,
        "hints": [hint] if is_open else [],
    }


VIEWS = [
    {
        "id": "v1",
        "page": "logs",
        "name": "Payment errors",
        "query": "service:payment severity:>=error",
        "env": "demo",
        "start": "-6h",
        "end": "now",
        "updated_at": "2026-11-22T03:00:00Z",
    }
]


def log(index: int) -> dict[str, Any]:
    """Give one row of /logs."""
    failing = index % 3 == 0
    name = "payment" if failing else SERVICES[index % 7]
    return {
        "id": f"b1-{index}",
        "occurred_at": at(250 + index),
        "observed_at": at(249 + index),
        "service": name,
        "env": "demo",
        "severity": "error" if failing else ("warn" if index % 5 == 0 else "info"),
        "severity_number": 17 if failing else 9,
        "body": "charge failed: card processor: connection refused"
        if failing
        else f"GET /v1/items/{index} 200",
        "trace_id": TRACE if failing else "",
        "span_id": "00f067aa0ba902b9" if failing else "",
        "attributes": {
            "http.response.status_code": "502",
            "order.id": f"A-{index}",
            "zero": "0",
            "flag": "false",
        },
        "resource": {"service.version": "1.4.2", "host.name": "node-3"},
        "batch_id": "b1",
        "line": index,
    }


def span(
    ids: str, service_name: str, name: str, times_ms: tuple[float, float], error: str = ""
) -> dict[str, Any]:
    """Give one span of the recorded trace: *ids* are its own and its parent's last digits, *times_ms* start and length."""
    own, above = ids.split("<")
    start_ms, ms = times_ms
    return {
        "span_id": SPANS + own,
        "parent_span_id": SPANS + above if above else "",
        "service": service_name,
        "name": name,
        "kind": "server",
        "start": at(262 - start_ms / 1000),
        "duration_ns": int(ms * 1_000_000),
        "status": "error" if error else "unset",
        "status_message": error,
        "attributes": {"http.route": "/v1/charge", "http.response.status_code": "500" if error else "200"},
        "resource": {"service.version": "1.4.2"},
        "events": [{"name": "exception", "attributes": {"exception.type": "ConnectionError"}}]
        if error
        else [],
        "links": [],
    }


def trace() -> dict[str, Any]:
    """Give the one row of /traces/{trace_id}."""
    return {
        "trace_id": TRACE,
        "spans": [
            span("b0<", "gateway", "POST /checkout", (0, 91.4), "502 Bad Gateway"),
            span("b1<b0", "checkout", "POST /v1/checkout", (2.1, 87.0), "payment failed"),
            span("b2<b1", "cart", "GET /v1/cart", (4.0, 9.5)),
            span("b3<b2", "cart", "SELECT cart", (5.0, 3.2)),
            span("b4<b1", "inventory", "POST /v1/reserve", (15.0, 12.0)),
            span("b7<b1", "checkout", "charge", (29.0, 56.0), "502"),
            span("b9<b7", "payment", "POST /v1/charge", (31.0, 52.0), "connection refused"),
            span("bf<ff", "notifications", "publish order", (88.0, 1.1)),
        ],
        "logs": [
            log(0) | {"occurred_at": at(262 - 0.060)},
            log(3) | {"occurred_at": at(262 - 0.0841), "service": "checkout", "span_id": "00f067aa0ba902b7"},
        ],
        "transitions": [transition(262 - 0.0856, "closed", "open")],
    }


def trace_row(index: int) -> dict[str, Any]:
    """Give one row of /traces."""
    return {
        "trace_id": TRACE if index == 0 else f"{index:032x}",
        "root_service": "gateway",
        "root_name": "POST /checkout" if index % 2 == 0 else "GET /items",
        "start": at(262 + 3 * index),
        "duration_ms": 91.4 + index * 7,
        "spans": 8,
        "services": ["gateway", "checkout", "cart", "payment"],
        "error": index % 2 == 0,
    }


ALERT = {
    "rule": "BreakerOpen",
    "state": "firing",
    "labels": {"service": "checkout", "env": "demo", "breaker": "payment"},
    "since": at(0, OPENED),
    "fired_at": at(245),
    "resolved_at": None,
    "value": 260,
    "message": "checkout's breaker payment has been open for 15 s",
    "url": "/breakers/checkout/payment",
    "id": "a1",
    "silenced_by": ["5f0c"],
    "inhibited_by": ["a2"],
    "folded": {
        "service": "payment",
        "env": "demo",
        "evidence": [{"message": "checkout's breaker 'payment' on payment is open"}],
    },
    "flapping": True,
    "incident": "1f3a",
    "rule_id": "r1",
}
JOURNAL = {"bytes": 0, "max_bytes": 1_073_741_824, "segments_waiting": 0, "oldest_waiting_s": 0.0}
FULLER = {"bytes": 52_428_800, "max_bytes": 1_073_741_824, "segments_waiting": 7, "oldest_waiting_s": 31.0}
PIPELINE = {
    "canary": {
        "state": "ok",
        "instance": "c0ffee",
        "sent": 8640,
        "last_stored": at(7),
        "latency_s": 1.4,
        "missing": 0,
        "duplicated": 0,
        "reason": None,
    },
    "disk": {
        "bytes": 12 << 30,
        "max_bytes": 20 << 30,
        "free_bytes": 60 << 30,
        "min_free_bytes": 5 << 30,
        "dropped": [],
    },
    "quarantine": {"records": 1},
    "duplicates_refused": {"lines": 3},
    "engine": {"state": "up", "since": at(9000), "restarts": 0, "last_error": None},
    "journal": JOURNAL,
}
DEAD = {
    "canary": PIPELINE["canary"] | {"state": "waiting", "reason": "the engine is restarting"},
    "quarantine": {"records": 0},
    "journal": FULLER,
    "engine": {"state": "restarting", "since": at(33), "restarts": 2, "last_error": "killed by signal 9"},
}


def ledger_line(service: str, agent: str, **fields: Any) -> dict[str, Any]:
    """Give one row of /ledger; *fields* replace the quiet ones."""
    quiet = {
        "agent": agent,
        "service": service,
        "signal": "logs",
        "reported": agent != "",
        "emitted": 360,
        "stored": 360,
        "rejected": 0,
        "dropped": {},
        "in_flight": 0,
        "duplicates_refused": 0,
        "gaps": [],
        "overlaps": [],
        "quarantined": 0,
        "lost_from_before": 0,
        "emitted_bytes": 36_000_000,
        "stored_bytes": 36_000_000,
        "rejected_bytes": 0,
        "dropped_bytes": {},
        "dropped_lines": {},
        "in_flight_bytes": 0,
        "stored_rows": 120_000,
    }
    return quiet | fields


def gap(path: str, explained: str) -> dict[str, Any]:
    """Give a gap of 1 MiB in a file."""
    ends = {"missing_from": 1_048_576, "missing_to": 2_097_152}
    where = {"source_kind": "file", "source_path": path, "generation": "9f3c"}
    return where | ends | {"seen_at": at(300), "explained": explained}


LEDGER = [
    ledger_line("cart", "a-cart", dropped_lines={"sampled": 1200}, dropped_bytes={"sampled": 90_000}),
    ledger_line(
        "payment",
        "a-payment",
        stored=350,
        dropped={"spool_full": 7},
        dropped_bytes={"spool_full": 7_000_000},
        dropped_lines={"spool_full": 21_000},
        in_flight=3,
        gaps=[gap("/var/log/payment/app.log", "dropped")],
    ),
    ledger_line(
        "checkout", "a-checkout", stored=358, in_flight=2, gaps=[gap("/var/log/checkout/app.log", "")]
    ),
    ledger_line("checkout", "", signal="traces"),
    ledger_line("fuseboard", "canary-c0ffee"),
]


def agent(name: str) -> dict[str, Any]:
    """Give one row of /agents: the payment's waits, as its collector refuses."""
    waits = name == "payment"
    return {
        "agent": f"a-{name}",
        "name": f"{name}-1",
        "version": "0.1.0",
        "host": "node-3",
        "services": [name],
        "started_at": at(9000),
        "restarts": 1 if waits else 0,
        "last_report": at(6),
        "clock_skew_ms": 90_000 if waits else 0,
        "lag_bytes": 4096 if waits else 0,
        "spool_bytes": 3_000_000 if waits else 0,
        "spool_blocks": 3 if waits else 0,
        "oldest_age_s": 41.5 if waits else 0.0,
        "breaker": {
            "state": "closed",
            "key_refused": False,
            "collectors": [
                {
                    "url": "http://one:4318",
                    "state": "open" if waits else "closed",
                    "key_refused": False,
                    "current": False,
                },
                {"url": "http://two:4318", "state": "closed", "key_refused": False, "current": True},
            ],
        },
        "dropped": {"spool_full": 7} if waits else {},
        "rejected": 0,
        "state": "spooling" if waits else "up",
    }


def histogram() -> list[dict[str, Any]]:
    """Give the rows of /logs/histogram."""
    rows = []
    for m in range(60, 0, -1):
        counts = {"info": 150 + m % 9, "warn": m % 4, "error": 40 if m < 5 else 0}
        rows.append({"at": at(60 * m), "counts": counts, "total": sum(counts.values())})
    return rows


CAUSES: list[dict[str, Any]] = [
    {
        "service": "payment",
        "env": "demo",
        "kind": "service",
        "score": 0.86,
        "began": at(260),
        "evidence": [
            {
                "code": "errors",
                "message": "62.0% of its calls fail since 03:10 UTC, usually 0.1%",
                "value": 0.62,
                "threshold": 0.001,
                "url": "/traces?service=payment&error=true",
            },
            {
                "code": "breakers_on_it",
                "message": "checkout opened a breaker on it",
                "value": 1,
                "threshold": 1,
                "url": "/breakers/checkout/payment",
            },
        ],
        "path": ["gateway", "checkout", "payment"],
    },
    {
        "service": "orders",
        "env": "demo",
        "kind": "dependency",
        "score": 0.06,
        "began": None,
        "evidence": [],
        "path": ["orders"],
    },
]


def endpoint(service: str, method: str, route: str, calls: int) -> dict[str, Any]:
    """Give one row of /endpoints; one that nobody calls was called two days ago."""
    caller = {"service": "gateway", "version": "1.4.2", "calls": calls, "last_call": at(3)}
    return {
        "service": service,
        "env": "demo",
        "method": method,
        "route": route,
        "version": "1.4.2",
        "calls": calls,
        "errors": 0,
        "last_call": at(3 if calls else 172_800),
        "callers": [caller] if calls else [],
        "verdict": "in_use" if calls else "safe_to_delete",
        "evidence": [],
    }


ENDPOINTS = [
    endpoint("checkout", "POST", "/checkout", 4120),
    endpoint("cart", "GET", "/v2/cart", 9200),
    endpoint("cart", "GET", "/v1/cart", 0),
    endpoint("payment", "POST", "/v1/charge", 4100),
]


def deploy(name: str, version: str, previous: str | None, first: float, last: float) -> dict[str, Any]:
    """Give one row of /deploys; a second version is one that made things worse."""
    evidence = [
        {
            "code": "errors",
            "direction": "worse",
            "message": "errors 0.1 % before, 62 % after",
            "value": 0.62,
            "baseline": 0.001,
            "statistic": 31.0,
        }
    ]
    numbers = {
        "calls": 9000,
        "rate": 12.0,
        "error_ratio": 0.62,
        "p50_ms": 8.0,
        "p95_ms": 2105.0,
        "p99_ms": 3000.0,
    }
    return {
        "service": name,
        "env": "demo",
        "version": version,
        "at": at(first),
        "first_seen": at(first),
        "last_seen": at(last),
        "previous": previous,
        "markers": [],
        "verdict": "regressed" if previous else "too_little_data",
        "evidence": evidence if previous else [],
        "basis": "before" if previous else None,
        "after": numbers,
        "baselines": {"before": numbers | {"error_ratio": 0.001, "p95_ms": 41.5}} if previous else {},
        "breakers_opened": [
            {"service": "checkout", "breaker": "payment", "target": "payment", "at": at(260), "on_it": True}
        ]
        if previous
        else [],
        "new_patterns": None,
    }


DEPLOYS = [
    deploy("payment", "1.4.2", "1.4.1", 900, 0),
    deploy("payment", "1.4.1", None, 86_400, 900),
    deploy("checkout", "1.4.2", None, 86_400, 0),
]


def course(name: str) -> dict[str, Any]:
    """Give one row of /courses/services: the last minutes of payment and checkout are bad ones; one minute is missing."""
    broken = name in ("payment", "checkout")
    points = [
        {
            "at": at(90 * step),
            "rate": 12 + 3 * math.sin(step / 5),
            "error_ratio": None if step == 20 else 0.6 if broken and step < 4 else 0.001,
            "p95_ms": None if step == 20 else 2100.0 if broken and step < 4 else 40.0 + step % 7,
        }
        for step in range(40, 0, -1)
    ]
    return {"service": name, "env": "demo", "series": points}


def breaker_course(holder: str, name: str) -> dict[str, Any]:
    """Give one row of /courses/breakers."""
    points = [
        {
            "at": at(90 * step),
            "failure_rate": 0.6 if step < 4 else 0.002,
            "not_permitted": 57 if step < 3 else 0,
        }
        for step in range(40, 0, -1)
    ]
    return {"service": holder, "env": "demo", "breaker": name, "target": name, "series": points}


CATALOGUE = [
    {
        "service": "payment",
        "owner": "team-pay",
        "runbook": "https://wiki.example/payment",
        "score": 0.5,
        "missing": ["slo"],
        "heard": True,
        "sources": {},
    },
    {
        "service": "cart",
        "owner": None,
        "runbook": None,
        "score": 0.0,
        "missing": ["owner"],
        "heard": True,
        "sources": {},
    },
]


def answer(path: str, query: dict[str, str]) -> list[dict[str, Any]] | None:
    """Give ``data`` of the shop for a path under /api/v1; None if nothing lives there."""
    parts = path.split("/")
    fixed: dict[str, Any] = {
        "services": [service(name) for name in SERVICES],
        "causes": CAUSES[: int(query.get("limit", "20"))],
        "breakers": [breaker(*key) for key in BREAKERS],
        "breakers/transitions": TRANSITIONS,
        "logs": [
            log(i + (100 if query.get("cursor") else 0)) for i in range(int(query.get("limit", "20")) % 60)
        ],
        "logs/histogram": histogram(),
        "logs/facets": [
            {
                "field": "severity",
                "values": [{"value": "info", "count": 9120}, {"value": "error", "count": 160}],
            },
            {"field": "service", "values": [{"value": name, "count": 1300} for name in SERVICES]},
        ],
        "logs/fields": [{"field": "order.id", "records": 900}, {"field": "host.name", "records": 880}],
        "logs/b1-3/context": [log(number) for number in range(6, 0, -1)],
        "views": VIEWS,
        "logs/patterns": PATTERNS,
        "traces": [trace_row(i) for i in range(12)],
        "traces/heatmap": [recorded_traces.heatmap(at)],
        "traces/compare": [recorded_traces.comparison(at)],
        "map": [
            {
                "nodes": [service(n) | {"id": n, "kind": "service"} for n in SERVICES]
                + [thing(name, kind) for name, kind in THINGS],
                "edges": [edge(*e) for e in EDGES],
            }
        ],
        "endpoints": ENDPOINTS,
        "catalogue": CATALOGUE,
        "courses/services": [course(name) for name in SERVICES],
        "courses/breakers": [breaker_course("checkout", "payment")],
        "deploys": recorded_panels.compared(DEPLOYS, at),
        **recorded_rules.rules(at, ALERT, query),
        "pipeline": [PIPELINE],
        "ledger": LEDGER,
        **recorded_incidents.incidents(at),
        **recorded_panels.panels(at, NOW.timestamp(), TRACE),
        "agents": [agent(name) for name in ("cart", "checkout", "payment")],
        "quarantine": [
            {
                "received_at": at(900),
                "batch_id": "0199c0ffee01",
                "format": "otlp_traces",
                "target": "otlp_traces",
                "reason": "Code: 128. DB::Exception: Too large array size",
                "bytes": 40960,
            }
        ],
    }
    if path in fixed:
        return fixed[path]
    if parts[0] == "services" and parts[1:] and parts[1] in SERVICES:
        return [service_detail(parts[1])]
    if parts[0] == "breakers" and tuple(parts[1:]) in BREAKERS:
        timeline = TRANSITIONS if parts[1:] == ["checkout", "payment"] else []
        return [breaker(*parts[1:]) | {"timeline": timeline}]
    if path == f"traces/{TRACE}":
        return [trace()]
    return None
