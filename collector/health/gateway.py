"""
The gateway's board: which clients call what, how well they are served, and which of them feel an outage.

A service is at the entry if calls reach it whose caller's span is not inside, or if the catalogue says ``tier: gateway``. A client *feels an outage* when at least
`FELT_RATIO` of its calls fail, `FELT_CALLS` of them at least: its users do, whatever the average over all clients says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from collector.query.window import SECOND_NS, Window
from collector.read import gateway as gateway_reads
from collector.read.gateway import VIEWS
from collector.read.sampling import sampling
from collector.read.sql import Reader, Row

FELT_RATIO, FELT_CALLS = 0.05, 5
_ROUTES = 50

Key = tuple[str, str]  # env, service


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What is asked for.

    Attributes:
        by: A view, or ``auto``: of each service the most telling one that its calls have.
        gateways: Services of the tier gateway, by the catalogue.
    """

    env: str = ""
    service: str = ""
    by: str = "auto"
    limit: int = 100
    gateways: Sequence[str] = ()


def gateway(reader: Reader, window: Window, asked: Asked) -> tuple[list[Row], list[str]]:
    """Return a row per service at the entry and client, those that feel an outage first; and warnings."""
    told, logging = reader.together(
        lambda each: gateway_reads.entries(each, window, asked.env, asked.service, asked.by),
        lambda each: gateway_reads.logging_gateways(each, window, asked.env, asked.service, asked.gateways),
    )
    known = {row["service"] for row in told}
    lines, one_in = gateway_reads.access_logs(
        reader, window, asked.env, [name for name in logging if name not in known], asked.by
    )
    known |= {row["service"] for row in lines}
    behind = [name for name in asked.gateways if name not in known and asked.service in ("", name)]
    served = gateway_reads.served(reader, window, asked.env, behind)
    rows = [
        *_clients(told, window, "spans", asked.by),
        *_clients(lines, window, "access_log", asked.by),
        *_clients(served, window, "spans", asked.by),
    ]
    warnings = [f"access logs: one of {one_in} lines was counted and scaled up"] if one_in > 1 else []
    return sorted(rows, key=_felt_first)[: asked.limit], warnings


def _felt_first(row: Row) -> tuple[bool, float, str, str]:
    return not row["feels_outage"], -row["calls"], row["service"], row["client"]


def _clients(rows: Iterable[Row], window: Window, source: str, by: str) -> list[Row]:
    by_service: dict[Key, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_service[row["env"], row["service"]][row["by"]].append(row)
    found = []
    for (env, service), views in by_service.items():
        view = _view(views, by)
        every = sum(row["weighted"] for row in views[""]) or sum(row["weighted"] for row in views[view])
        routes: dict[str, list[Row]] = defaultdict(list)
        for row in views[view]:
            routes[row["client"]].append(row)
        found += [
            _client(env, service, view, client, its, every, window, source) for client, its in routes.items()
        ]
    return found


def _view(views: Iterable[str], by: str) -> str:
    has = set(views)
    wanted = VIEWS if by == "auto" else (by,)
    return next((view for view in wanted if view in has), "")


def _client(
    env: str,
    service: str,
    view: str,
    client: str,
    rows: Sequence[Row],
    every: float,
    window: Window,
    source: str,
) -> Row:
    spans, failed = sum(row["spans"] for row in rows), sum(row["failed"] for row in rows)
    weighted, weighted_failed = (
        sum(row["weighted"] for row in rows),
        sum(row["weighted_failed"] for row in rows),
    )
    seconds = max(min(window.seconds, window.end_ns / SECOND_NS - min(row["first"] for row in rows)), 1.0)
    ratio = weighted_failed / weighted if weighted else 0.0
    return {
        "service": service,
        "env": env,
        "by": view,
        "client": client,
        "source": source,
        "calls": round(weighted),
        "rate": round(weighted / seconds, 4),
        "error_ratio": round(ratio, 6),
        "p95_ms": max((row["p95_ms"] for row in rows if row["p95_ms"] is not None), default=None),
        "share": round(weighted / every, 6) if every else 0.0,
        "last_call": max(row["last_at"] for row in rows),
        "feels_outage": ratio >= FELT_RATIO and failed >= FELT_CALLS,
        "routes": [_route(row, seconds) for row in sorted(rows, key=_failing_first)[:_ROUTES]],
        **sampling(spans, weighted),
    }


def _failing_first(row: Row) -> tuple[float, float, str]:
    return -row["weighted_failed"], -row["weighted"], row["route"]


def _route(row: Row, seconds: float) -> Row:
    ratio = row["weighted_failed"] / row["weighted"] if row["weighted"] else 0.0
    return {
        "method": row["method"],
        "route": row["route"],
        "calls": round(row["weighted"]),
        "rate": round(row["weighted"] / seconds, 4),
        "error_ratio": round(ratio, 6),
        "p95_ms": row["p95_ms"],
    }
