"""A service as lists of services show it: health with its evidence, numbers that lead to theirs, small courses, next steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dashboards.api import Row
from dashboards.charts import amount
from dashboards.filters import health_slug
from dashboards.pages.page import quoted, rows_of, text_of
from dashboards.timestamps import NS_PER_S, nanoseconds
from dashboards.window import Window

HEALTH_ORDER = ("unhealthy", "degraded", "unknown", "healthy")

QUIET_S = 60


@dataclass(frozen=True)
class ServiceRow:
    """One service in one environment."""

    row: Row
    service: str
    env: str
    health: str
    owner: str
    url: str
    traces_url: str
    failing_url: str
    slowest_url: str
    logs_url: str
    breakers_url: str
    quiet: bool
    """True if nothing was heard of it in the last minute of the time range."""
    rates: tuple[float | None, ...] = ()
    """Requests/s over the window; empty while its course is not known."""
    error_ratios: tuple[float | None, ...] = ()
    p95s_ms: tuple[float | None, ...] = ()


def service_rows(rows: Iterable[Row], courses: Iterable[Row], window: Window) -> tuple[ServiceRow, ...]:
    """Make the rows of ``/services``, worst health first, each with its course of ``/courses/services``."""
    known = {(text_of(row, "service"), text_of(row, "env")): rows_of(row.get("series")) for row in courses}
    made = [_row(row, known, window) for row in rows]
    return tuple(sorted(made, key=lambda each: (HEALTH_ORDER.index(each.health), each.service, each.env)))


def _row(row: Row, courses: Mapping[tuple[str, str], Sequence[Row]], window: Window) -> ServiceRow:
    service, env = text_of(row, "service"), text_of(row, "env")
    here = replace(window, env=env or window.env)
    series = courses.get((service, env), ())
    return ServiceRow(
        row=row,
        service=service,
        env=env,
        health=health_slug(row.get("health")),
        owner=text_of(row, "owner"),
        url=here.url("services", service),
        traces_url=here.url("traces", service=service),
        failing_url=here.url("traces", service=service, error="true"),
        slowest_url=here.url("traces", service=service, order="slowest"),
        logs_url=here.url("logs", query=f"service:{quoted(service)}"),
        breakers_url=here.url("breakers", service=service),
        quiet=_quiet(text_of(row, "last_seen"), window),
        rates=tuple(amount(point.get("rate")) for point in series),
        error_ratios=tuple(amount(point.get("error_ratio")) for point in series),
        p95s_ms=tuple(amount(point.get("p95_ms")) for point in series),
    )


def _quiet(last_seen: str, window: Window) -> bool:
    try:
        return window.end.timestamp() - nanoseconds(last_seen) / NS_PER_S > QUIET_S
    except ValueError:
        return False
