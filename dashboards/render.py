"""Templates, the frame around every page, and the addresses of our static files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, unquote, urlencode

from jinja2 import ChainableUndefined, Environment, FileSystemLoader

from dashboards.api import Problem, Row, Section
from dashboards.filters import all_filters
from dashboards.site import Place
from dashboards.units import unit_filters
from dashboards.window import QUICK_RANGES, Window

HERE = Path(__file__).parent
STATIC = HERE / "static"
_END = {True: "%H:%M:%S", False: "%d %b %H:%M:%S"}
"""How a range's end is written: without its day where the start says it."""
BEHIND_S = 10
"""A record is promised to be searchable within 2 s; five times that is worth a banner."""


@dataclass(frozen=True)
class Help:
    """
    What a field of a page's context means, as ``Annotated[Section, Help("…")]``.

    A test fails if a context has a field without it. *decides_status* marks the `Section` a page is
    about: its 400 or 404 becomes the page's status.
    """

    text: str
    decides_status: bool = False


@dataclass(frozen=True)
class Frame:
    """What stands around every page: navigation, time range, and whether the engine lives."""

    path: Annotated[str, Help("Path of this page as requested, for links to itself.")]
    parameters: Annotated[dict[str, str], Help("The page's own query parameters, without start, end, env.")]
    window: Annotated[Window, Help("Time range and environment of every link on the page.")]
    now: Annotated[datetime, Help("When the page was asked for; what 'ago' counts from.")]
    pipeline: Annotated[Section, Help("GET /pipeline: engine and journal state; the banner on every page.")]
    refused: Annotated[bool, Help("True if a section of the page was refused because the engine is away.")]
    nav: Annotated[str, Help("Which navigation item is current.")]
    who: Annotated[Row, Help("GET /session: who the visitor is and what they may; empty while unknown.")] = (
        field(default_factory=dict)
    )
    asked: Annotated[
        str, Help("Name of the page's questions, by which a skeleton asks how far they are.")
    ] = ""

    def may(self, action: str) -> bool:
        """Say whether the visitor may ``change`` or ``manage``, as far as is known."""
        allowed = self.who.get("may")
        return isinstance(allowed, list) and action in allowed

    @property
    def subject(self) -> str:
        """What the page is about as far as its address says: ``checkout › payment``; empty for a page without a name in it."""
        return " › ".join(unquote(part) for part in self.path.strip("/").split("/")[1:])

    @property
    def engine(self) -> dict[str, Any]:
        """The engine part of the pipeline's answer; empty while unknown."""
        row = self.pipeline.first or {}
        engine = row.get("engine")
        return engine if isinstance(engine, dict) else {}

    @property
    def engine_down(self) -> bool:
        """True if the engine is anything but up, or a section met its death before the pipeline did."""
        return self.refused or (bool(self.engine) and self.engine_state != "up")

    @property
    def engine_state(self) -> str:
        """The engine's state in the pipeline's words; what a section just met is newer."""
        state = str(self.engine.get("state") or "unknown")
        return "not answering" if self.refused and state == "up" else state

    @property
    def journal(self) -> dict[str, Any]:
        """The journal part of the pipeline's answer; empty while unknown."""
        journal = (self.pipeline.first or {}).get("journal")
        return journal if isinstance(journal, dict) else {}

    @property
    def behind_s(self) -> float:
        """Seconds by which storing is behind, once that is worth a banner; else 0."""
        waiting = self.journal.get("oldest_waiting_s")
        return float(waiting) if isinstance(waiting, int | float) and waiting >= BEHIND_S else 0.0

    @property
    def banner_problem(self) -> Problem | None:
        """What to say when the pipeline itself cannot be asked."""
        return self.pipeline.problem

    @property
    def quick_ranges(self) -> list[tuple[str, bool, str]]:
        """(link to this page, is current, label) per offered range."""
        window = self.window
        return [
            (self.self_url(start=start, end="now"), window.live and window.start_text == start, label)
            for start, label in QUICK_RANGES
        ]

    @property
    def range_words(self) -> str:
        """The time range in words: ``last 1 hour``, or its two ends."""
        window = self.window
        for start, label in QUICK_RANGES:
            if window.live and window.start_text == start:
                return f"last {label}"
        if window.live and window.start_text.startswith("-"):
            return f"last {window.start_text[1:]}"
        return f"{window.start:%d %b %H:%M:%S} to {'now' if window.live else format(window.end, _END[window.start.date() == window.end.date()])}"

    @property
    def stepped_ranges(self) -> list[tuple[str, str, str]]:
        """(link, sign, words) of the ranges beside this one: earlier, later, twice as long."""
        window, now = self.window, self.now
        length = window.end - window.start
        if window.live:
            wider = replace(window, start_text=f"-{2 * round(length.total_seconds())}s")
            steps = [
                (window.between(window.start - length / 2, window.end - length / 2), "◀", "earlier by half"),
                (wider, "−", "zoom out"),
            ]
        else:
            later = min(window.end + length / 2, max(now, window.end))
            steps = [
                (window.between(window.start - length / 2, window.end - length / 2), "◀", "earlier by half"),
                (window.between(later - length, later), "▶", "later by half"),
                (window.between(window.start - length / 2, later), "−", "zoom out"),
            ]
        return [
            (self.self_url(start=each.start_text, end=each.end_text), sign, words)
            for each, sign, words in steps
        ]

    @property
    def fixed_url(self) -> str:
        """This page with absolute times: shows a colleague the same thing."""
        fixed = self.window.fixed()
        return self.self_url(start=fixed.start_text, end=fixed.end_text)

    def self_url(self, **changes: str) -> str:
        """This page with some parameters changed; "" removes one."""
        window = self.window
        asked = {**self.parameters, "start": window.start_text, "end": window.end_text, "env": window.env}
        return self.path + "?" + _query({**asked, **changes})

    def url(self, *segments: str, **parameters: object) -> str:
        """Link to another page in the same window."""
        return self.window.url(*(str(segment) for segment in segments), **parameters)


class Renderer:
    """The templates, compiled once, with autoescape on for every one of them."""

    def __init__(self, places: Sequence[Place] = ()) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=ChainableUndefined,  # a field the API does not send reads "–", not a stack trace
        )
        self._environment.filters.update(all_filters())
        self._environment.filters.update(unit_filters())
        self._environment.globals["places"] = tuple(places)
        self._environment.globals["asset"] = _asset_urls().__getitem__

    def html(self, template: str, *, sent: str = "whole", **values: Any) -> str:
        """Render one template; *values* are its context, *sent* is what of a page goes out: ``whole``, its ``frame``, or the ``rest`` that follows one."""
        return self._environment.get_template(template).render(sent=sent, **values)


def _asset_urls() -> dict[str, str]:
    """Give each static file a URL that changes with its bytes, so that browsers may keep it."""
    names = [path for path in sorted(STATIC.rglob("*")) if path.suffix in {".js", ".css", ".svg"}]
    return {str(path.relative_to(STATIC)): _asset_url(path) for path in names} | _missing_vendor()


def _asset_url(path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return f"/static/{path.relative_to(STATIC)}?v={digest}"


def _missing_vendor() -> dict[str, str]:
    """Pages of a checkout without vendored files still read well: the scripts answer 404."""
    names = ("vendor/htmx.min.js", "vendor/uplot.min.js", "vendor/uplot.min.css")
    return {name: f"/static/{name}" for name in names if not (STATIC / name).is_file()}


def _query(parameters: dict[str, str]) -> str:
    kept = {name: value for name, value in parameters.items() if value or name in ("start", "end", "env")}
    return urlencode(kept, quote_via=quote)
