"""What a page is: a path, a template, and a function from a visit to a documented context."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from dashboards.api import CallerApi, Row, Section
from dashboards.window import BadParameterError, Window


@dataclass(frozen=True)
class Visit:
    """One request for a page, its parameters understood."""

    segments: tuple[str, ...]
    """Path parts, unquoted one by one: a service may be called ``a/b``."""
    query: Mapping[str, str]
    window: Window
    now: datetime
    api: CallerApi
    paths: tuple[str, ...] = ()
    """The paths of all pages of this site: a link to one that does not exist is not made."""
    tour: str = ""
    """The command that breaks something in the sample shop; "" where there is none."""

    def text(self, name: str) -> str:
        """One of the page's own parameters; "" if it was not given."""
        return self.query.get(name, "").strip()

    def count(self, name: str, default: int, highest: int) -> int:
        """
        Read a parameter as a whole number of 1..*highest*.

        Raises:
            BadParameterError: Anything else.
        """
        text = self.text(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= highest):
            raise BadParameterError(name, text, f"write a whole number from 1 to {highest}")
        return int(text)

    @property
    def question(self) -> dict[str, str]:
        """The window as parameters of an API call."""
        return self.window.question


@dataclass(frozen=True)
class Part:
    """
    A part of a page that is asked for once the page stands, because it may take its time.

    ``_chart.html``'s macro ``part`` reserves its place; the page's URL with ``part=<name>`` answers it. Of parts of one kind (the panels of a
    dashboard) each is ``part=<name>-<which>``.
    """

    template: str
    context: type
    load: Callable[[Visit], Awaitable[Any]]


@dataclass(frozen=True)
class Page:
    """One page of the site."""

    path: str
    template: str
    nav: str
    context: type
    load: Callable[[Visit], Awaitable[Any]]
    parts: Mapping[str, Part] = field(default_factory=dict)


def path_segments(scope: MutableMapping[str, Any]) -> tuple[str, ...]:
    """Split a request's raw path before unquoting, so that a quoted slash stays inside its part."""
    raw = scope.get("raw_path") or scope["path"].encode()
    parts = raw.decode("latin-1").partition("?")[0].strip("/").split("/")
    return tuple(unquote(part) for part in parts)


def environments(answer: Section, window: Window, *segments: str) -> tuple[tuple[str, str], ...]:
    """Link to what a page shows in each environment that has it; the API answers one row for each."""
    names = [text_of(row, "env") for row in answer.rows]
    return tuple((name, replace(window, env=name).url(*segments)) for name in names)


def quoted(value: str) -> str:
    """Write a text as one term of the search language."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def text_of(row: Row, name: str) -> str:
    """Give a field of an API row as text; "" if it is missing or null."""
    value = row.get(name)
    return "" if value is None else str(value)


def changes(answer: Section, limit: int) -> Section:
    """Keep the *limit* newest transitions that changed a state; a process that says it starts closed did not."""
    rows = [row for row in answer.rows if row.get("from") != row.get("to")]
    return replace(answer, rows=tuple(rows[:limit]))


def rows_of(value: object) -> tuple[Row, ...]:
    """Give a nested list of objects of an API row; empty if it is anything else."""
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()
