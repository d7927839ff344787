"""What the Logs page offers to narrow a search by, once it stands: the commonest values, and the fields there are."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.pages.page import Part, Visit, quoted, rows_of, text_of
from dashboards.render import Help
from dashboards.window import Window

FACETS = ("severity", "service")
FACETS_MOST = 12
FIELD_NAMES = 60


@dataclass(frozen=True)
class FacetValue:
    """One value of a facet; the link narrows the search to it."""

    value: str
    count: object
    url: str


@dataclass(frozen=True)
class Facet:
    """The commonest values of one field; one that was asked for can be taken away."""

    field: str
    values: tuple[FacetValue, ...]
    away_url: str


@dataclass(frozen=True)
class FacetsContext:
    """What may narrow a search."""

    facets: Annotated[Section, Help("GET /logs/facets: why the values are missing if it failed.")]
    facet_values: Annotated[tuple[Facet, ...], Help("Fields with their top values, for narrowing.")]
    fields: Annotated[Section, Help("GET /logs/fields: what attributes the records have.")]
    field_urls: Annotated[
        tuple[tuple[str, str], ...], Help("(attribute, this page with a facet of it), the commonest first.")
    ]


async def load_facets(visit: Visit) -> FacetsContext:
    """Ask for the top values and the fields, which read every record of the range."""
    query, chosen, window = visit.text("query"), chosen_fields(visit), visit.window
    asked = {**visit.question, "query": query}
    facets, fields = await asyncio.gather(
        visit.api.get("logs", "facets", params={**asked, "fields": ",".join((*FACETS, *chosen))}),
        visit.api.get("logs", "fields", params={**asked, "limit": str(FIELD_NAMES)}),
    )
    return FacetsContext(
        facets=facets,
        facet_values=tuple(_facet(row, window, query, chosen) for row in facets.rows),
        fields=fields,
        field_urls=_field_urls(fields.rows, window, query, chosen),
    )


def chosen_fields(visit: Visit) -> tuple[str, ...]:
    """Read the fields that facets were asked of, beside those there always are."""
    names = dict.fromkeys(name.strip() for name in visit.text("facets").split(","))
    return tuple(name for name in names if name and name not in FACETS)[:FACETS_MOST]


def _facet(row: Row, window: Window, query: str, chosen: tuple[str, ...]) -> Facet:
    field = text_of(row, "field")
    others = ",".join(name for name in chosen if name != field)
    away = window.url("logs", query=query, facets=others) if field in chosen else ""
    return Facet(field, _values(row, window, query, chosen), away)


def _field_urls(
    rows: tuple[Row, ...], window: Window, query: str, chosen: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    names = [text_of(row, "field") for row in rows]
    return tuple(
        (name, window.url("logs", query=query, facets=",".join((*chosen, name))))
        for name in names
        if name and "," not in name and name not in (*chosen, *FACETS)
    )


def _values(row: Row, window: Window, query: str, chosen: tuple[str, ...]) -> tuple[FacetValue, ...]:
    name, facets = term(text_of(row, "field")), ",".join(chosen)
    return tuple(
        FacetValue(
            value=text_of(each, "value"),
            count=each.get("count"),
            url=window.url(
                "logs", query=narrow(query, f"{name}:{quoted(text_of(each, 'value'))}"), facets=facets
            ),
        )
        for each in rows_of(row.get("values"))
    )


def term(name: str) -> str:
    """Write a field's name as the search language reads it: a backslash before what could mean something else."""
    return re.sub(r"[^\w.@-]|^-", lambda found: "\\" + found[0], name)


def narrow(query: str, term: str) -> str:
    """Add *term* to a search without changing what its ORs mean."""
    if not query:
        return term
    return f"({query}) AND {term}" if " OR " in query else f"{query} {term}"


PARTS = {"facets": Part("parts/facets.html", FacetsContext, load_facets)}
