"""Settings: what is in force here, secrets masked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.pages.page import Page, Visit, text_of
from dashboards.render import Help


@dataclass(frozen=True)
class SettingsContext:
    """Everything the Settings page shows."""

    answer: Annotated[Section, Help("GET /settings.", decides_status=True)]
    query: Annotated[str, Help("What settings are looked for, as typed.")]
    rows: Annotated[tuple[Row, ...], Help("Settings whose name, value or help has it.")]


async def load(visit: Visit) -> SettingsContext:
    """Ask for the settings."""
    answer = await visit.api.get("settings")
    query = visit.text("query")
    rows = tuple(row for row in answer.rows if query.lower() in _words(row))
    return SettingsContext(answer, query, rows)


def _words(row: Row) -> str:
    return " ".join(text_of(row, name) for name in ("name", "value", "help")).lower()


PAGE = Page("/settings", "settings.html", "settings", SettingsContext, load)
