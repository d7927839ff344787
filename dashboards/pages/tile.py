"""A breaker as the pages show it: state, time in it, instances, cause, and where to click next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from dashboards.api import Row
from dashboards.charts import amount
from dashboards.filters import duration_ms, duration_s, number, percent, state_slug
from dashboards.pages.lanes import WORST
from dashboards.pages.page import rows_of, text_of
from dashboards.timestamps import moment, nanoseconds
from dashboards.window import Window

URGENCY = WORST
"""Order on the board: what needs a person first, what works last."""

TRACE_REACH_MIN = 15
"""Logs of a trace are looked for this long before and after its first failing span."""


@dataclass(frozen=True)
class Cause:
    """
    What led to the open, and the two places that explain it.

    *service* is that of the first failing span; "" while its spans have not arrived and only the
    transition's own trace id is known.
    """

    service: str
    sentence: str
    at: str
    trace_url: str
    logs_url: str
    tripped_by: str = ""
    """What of the calls to the target was unusual as it opened; "" if nothing was, or nothing is known."""


@dataclass(frozen=True)
class Hint:
    """Something about a breaker's configuration that its history speaks against."""

    code: str
    message: str
    change: str
    """What to change."""
    evidence: tuple[tuple[str, str], ...]
    """(what, how much), units written."""


@dataclass(frozen=True)
class Tile:
    """One breaker of one service."""

    row: Row
    service: str
    breaker: str
    state: str
    instances: tuple[Row, ...]
    remarks: tuple[str, ...]
    cause: Cause | None
    url: str
    service_url: str
    failure_rates: tuple[float | None, ...] = ()
    """Of the calls to its target, over the time range; empty while its course is not known."""
    not_permitted: tuple[float | None, ...] = ()
    hints: tuple[Hint, ...] = ()
    """What its history speaks against in its configuration."""

    @property
    def element_id(self) -> str:
        """What tests find it by; its id on the page also has the environment."""
        return f"{self.service}-{self.breaker}"

    @property
    def env(self) -> str:
        """The environment the breaker is in."""
        return text_of(self.row, "env")

    @property
    def troubled(self) -> bool:
        """True if a person should look: anything but quietly closed."""
        return self.state in URGENCY[:4] or bool(self.remarks)

    @property
    def open_instances(self) -> int:
        """How many instances are not closed."""
        return sum(1 for instance in self.instances if state_slug(instance.get("state")) != "closed")


def tile(row: Row, window: Window, course: tuple[Row, ...] = ()) -> Tile:
    """Make the tile of one row of ``/breakers``, *course* being its series of ``/courses/breakers``."""
    service, breaker = text_of(row, "service"), text_of(row, "breaker")
    here = _in_env(window, row)
    return Tile(
        row=row,
        service=service,
        breaker=breaker,
        state=state_slug(row.get("state")),
        instances=rows_of(row.get("instances")),
        remarks=_remarks(row),
        cause=_cause(row, here),
        url=here.url("breakers", service, breaker),
        service_url=here.url("services", service),
        failure_rates=tuple(amount(point.get("failure_rate")) for point in course),
        not_permitted=tuple(amount(point.get("not_permitted")) for point in course),
        hints=tuple(_hint(each) for each in rows_of(row.get("hints"))),
    )


def tiles(rows: Iterable[Row], window: Window, courses: Iterable[Row] = ()) -> tuple[Tile, ...]:
    """Make all tiles, most urgent first, then by service and breaker."""
    known = {_key(row): rows_of(row.get("series")) for row in courses}
    made = [tile(row, window, known.get(_key(row), ())) for row in rows]
    return tuple(sorted(made, key=lambda each: (URGENCY.index(each.state), each.service, each.breaker)))


def _key(row: Row) -> tuple[str, str, str]:
    return text_of(row, "service"), text_of(row, "env"), text_of(row, "breaker")


def _in_env(window: Window, row: Row) -> Window:
    """Links from a tile name its own environment, also on a page that shows all of them."""
    return replace(window, env=text_of(row, "env") or window.env)


def _remarks(row: Row) -> tuple[str, ...]:
    found = []
    if row.get("agree") is False:
        found.append("instances disagree")
    if row.get("flapping"):
        found.append("flapping")
    if row.get("stuck"):
        found.append("stuck half-open")
    if row.get("stale"):
        found.append("stale: no word from it")
    return tuple(found)


def _cause(row: Row, window: Window) -> Cause | None:
    found = row.get("cause")
    if not isinstance(found, dict):
        found = {"trace_id": row.get("trace_id"), "at": row.get("since")} if _opened(row) else {}
    trace_id, span_id = text_of(found, "trace_id"), text_of(found, "span_id")
    if not trace_id and not text_of(found, "service"):
        return None
    words = [text_of(found, "name"), text_of(found, "status_message")]
    around = _around(text_of(found, "at"), window)
    return Cause(
        service=text_of(found, "service"),
        sentence=": ".join(word for word in words if word) or text_of(found, "message"),
        at=text_of(found, "at"),
        trace_url=window.trace_url(trace_id, span_id),
        logs_url=around.url("logs", query=f"trace_id:{trace_id}") if trace_id else "",
        tripped_by=tripped_by(found.get("tripped_by")),
    )


def tripped_by(told: object) -> str:
    """Say what of the calls to the target was unusual as the breaker opened; "" if nothing was."""
    numbers = told if isinstance(told, dict) else {}
    if numbers.get("kind") == "errors":
        usual = numbers.get("usual_error_ratio")
        beside = "" if usual is None else f", usually {percent(usual)}"
        return f"{percent(numbers.get('error_ratio'))} of {number(numbers.get('calls'))} calls failed as it opened{beside}"
    if numbers.get("kind") == "latency":
        slow, usual = duration_ms(numbers.get("p95_ms")), duration_ms(numbers.get("usual_p95_ms"))
        return f"p95 was {slow} as it opened, usually {usual}"
    return ""


def _hint(row: Row) -> Hint:
    found = row.get("evidence")
    evidence = found.items() if isinstance(found, dict) else ()
    return Hint(
        code=text_of(row, "code"),
        message=text_of(row, "message"),
        change=text_of(row, "change"),
        evidence=tuple(_measured(str(name), value) for name, value in evidence),
    )


def _measured(name: str, value: object) -> tuple[str, str]:
    """Write one number of the evidence; its name says its unit."""
    if name.endswith("_s"):
        return name[:-2].replace("_", " "), duration_s(value)
    if name.endswith("_ratio") or name == "threshold":
        return name.replace("_", " "), percent(value)
    return name.replace("_1h", ", 1 h").replace("_", " "), number(value)


def _opened(row: Row) -> bool:
    return state_slug(row.get("state")) in ("open", "forced_open", "half_open")


def _around(at: str, window: Window) -> Window:
    try:
        return window.around(moment(nanoseconds(at)), TRACE_REACH_MIN)
    except ValueError:
        return window
