"""The part of the Pipeline page that says who fills the disk, and what could be spared."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

from dashboards.api import Row, Section
from dashboards.pages.page import Part, Visit, rows_of
from dashboards.render import Help

SHOWN = 50
METRICS = "30"


@dataclass(frozen=True)
class VolumeContext:
    """Volume and cardinality."""

    volume: Annotated[Section, Help("GET /volume in the time range, the largest first.")]
    rows: Annotated[tuple[Row, ...], Help("Its first rows.")]
    hidden: Annotated[int, Help("How many more there are.")]
    advice: Annotated[
        tuple[tuple[Row, Row], ...], Help("(row, what could be spared of it), most rows first.")
    ]
    metrics: Annotated[Section, Help("GET /cardinality: metrics with most series.")]


async def load(visit: Visit) -> VolumeContext:
    """Ask for volume and cardinality."""
    volume, metrics = await asyncio.gather(
        visit.api.get("volume", params=visit.question),
        visit.api.get("cardinality", params={**visit.question, "limit": METRICS}),
    )
    advice = [(row, each) for row in volume.rows for each in rows_of(row.get("advice"))]
    return VolumeContext(
        volume=volume,
        rows=volume.rows[:SHOWN],
        hidden=max(len(volume.rows) - SHOWN, 0),
        advice=tuple(sorted(advice, key=lambda pair: _spared(pair[1]), reverse=True)),
        metrics=metrics,
    )


def _spared(advice: Row) -> int:
    value = advice.get("spares_rows")
    return value if isinstance(value, int) else 0


PART = Part("parts/volume.html", VolumeContext, load)
