"""Pipeline: is anything lost, and if so where; who ships, what waits, what was set aside."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from dashboards import volume
from dashboards.api import Row, Section
from dashboards.filters import duration_s, number, plural, size_bytes
from dashboards.pages.page import Page, Visit, rows_of, text_of
from dashboards.render import Help

SHOWN_LINES = 300
"""Lines of the ledger on the page, the troubled ones first; the API gives all."""
SHOWN_BREAKS = 100
QUARANTINED = "50"
BYTES = ("file", "command")
"""What these kinds of sources measure their offsets in; the others number their blocks."""
AGENT_ORDER = ("silent", "refused", "spooling", "up")
SKEW_MS = 2000
"""A clock that is further ahead than this moves the ranges of an agent visibly."""


@dataclass(frozen=True)
class Loss:
    """What was given up for one reason."""

    reason: str
    blocks: int
    lines: int
    bytes: int


@dataclass(frozen=True)
class Line:
    """One line of the ledger as the page shows it."""

    row: Row
    agent: str
    losses: tuple[Loss, ...]
    off_by: int

    @property
    def alarming(self) -> bool:
        """True if the sum does not hold, or offsets are missing or doubled and nobody explains it."""
        return bool(self.off_by) or any(each.alarming for each in breaks_of(self))

    @property
    def troubled(self) -> bool:
        """True if something of it was given up."""
        return bool(self.losses or whole(self.row, "rejected"))


@dataclass(frozen=True)
class Break:
    """A gap or an overlap of a source, with whom it concerns."""

    kind: str
    explained: str
    row: Row
    line: Line
    first: int
    below: int
    in_bytes: bool

    @property
    def alarming(self) -> bool:
        """True unless the agent itself says what became of it."""
        return not self.explained


@dataclass(frozen=True)
class PipelineContext:
    """Everything the Pipeline page shows."""

    pipeline: Annotated[
        Section, Help("GET /pipeline: canary, engine, journal; answers while the engine is dead.")
    ]
    ledger: Annotated[Section, Help("GET /ledger in the time range: why the table is missing if it failed.")]
    agents: Annotated[Section, Help("GET /agents in the time range, the troubled ones first.")]
    quarantined: Annotated[Section, Help("GET /quarantine in the time range, the newest few.")]
    lines: Annotated[tuple[Line, ...], Help("The ledger's lines, those with losses first.")]
    hidden: Annotated[int, Help("How many lines of the ledger are left out.")]
    breaks: Annotated[tuple[Break, ...], Help("Gaps and overlaps, the unexplained ones first.")]
    canary: Annotated[Row, Help("The canary's part of the pipeline's answer; empty while unknown.")]
    repeats: Annotated[
        tuple[tuple[str, int], ...], Help("Repeated batches refused since the collector began, by format.")
    ]
    disk: Annotated[
        str, Help("What the embedded engine takes of the disk and what had to go; empty while unknown.")
    ]
    disk_dropped: Annotated[bool, Help("True if partitions had to go before their time.")]
    kept: Annotated[int, Help("Batches set aside whose bytes are on the collector's disk.")]
    skew_ms: Annotated[int, Help("An agent's clock further ahead than this is worth a remark.")]
    verdict: Annotated[
        str, Help("Whether anything is lost, in a word: healthy, degraded, unhealthy, unknown.")
    ]
    headline: Annotated[str, Help("The same in one sentence.")]
    detail: Annotated[str, Help("What the canary says, in one sentence; empty while unknown.")]


async def load(visit: Visit) -> PipelineContext:
    """Ask for the pipeline, the ledger, the agents and the quarantine at once."""
    api, question = visit.api, visit.question
    pipeline, ledger, agents, quarantined = await asyncio.gather(
        api.get("pipeline"),
        api.get("ledger", params=question),
        api.get("agents", params=question),
        api.get("quarantine", params={**question, "limit": QUARANTINED}),
    )
    names = {text_of(row, "agent"): text_of(row, "name") or text_of(row, "agent") for row in agents.rows}
    lines = sorted((line_of(row, names) for row in ledger.rows), key=_line_order)
    breaks = tuple(
        sorted((each for line in lines for each in breaks_of(line)), key=lambda it: not it.alarming)
    )
    canary, repeats = part(pipeline, "canary"), part(pipeline, "duplicates_refused")
    verdict, headline = summarise(ledger, lines, breaks, canary)
    return PipelineContext(
        pipeline=pipeline,
        ledger=ledger,
        agents=Section(tuple(sorted(agents.rows, key=_agent_order)), agents.problem),
        quarantined=quarantined,
        lines=tuple(lines[:SHOWN_LINES]),
        hidden=max(len(lines) - SHOWN_LINES, 0),
        breaks=breaks[:SHOWN_BREAKS],
        canary=canary,
        repeats=tuple(sorted((name, whole(repeats, name)) for name in repeats)),
        disk=disk_sentence(part(pipeline, "disk")),
        disk_dropped=bool(part(pipeline, "disk").get("dropped")),
        kept=whole(part(pipeline, "quarantine"), "records"),
        skew_ms=SKEW_MS,
        verdict=verdict,
        headline=headline,
        detail=canary_sentence(canary),
    )


def line_of(row: Row, names: Mapping[str, str]) -> Line:
    """Understand one row of /ledger."""
    agent = text_of(row, "agent")
    name = names.get(agent, "canary" if agent.startswith("canary-") else agent)
    dropped = mapping(row, "dropped")
    parts = [whole(row, "stored"), whole(row, "rejected"), *(whole(dropped, reason) for reason in dropped)]
    off_by = whole(row, "emitted") - sum(parts) - whole(row, "in_flight")
    return Line(row, name or "no agent", losses_of(row), off_by)


def losses_of(row: Row) -> tuple[Loss, ...]:
    """Give what was dropped by reason, whole blocks and lines taken out of shipped ones alike."""
    blocks, lines, size = (mapping(row, name) for name in ("dropped", "dropped_lines", "dropped_bytes"))
    reasons = sorted({*blocks, *lines, *size})
    return tuple(
        Loss(reason, whole(blocks, reason), whole(lines, reason), whole(size, reason)) for reason in reasons
    )


def breaks_of(line: Line) -> Iterable[Break]:
    """Give the gaps and overlaps of one line."""
    for row in rows_of(line.row.get("overlaps")):
        yield _break("stored twice", "", row, line, ("from", "to"))
    for row in rows_of(line.row.get("gaps")):
        yield _break("gap", text_of(row, "explained"), row, line, ("missing_from", "missing_to"))


def _break(kind: str, explained: str, row: Row, line: Line, ends: tuple[str, str]) -> Break:
    first, below = (whole(row, end) for end in ends)
    return Break(kind, explained, row, line, first, below, row.get("source_kind") in BYTES)


def summarise(
    ledger: Section, lines: Iterable[Line], breaks: Iterable[Break], canary: Row
) -> tuple[str, str]:
    """
    Say in one sentence whether anything is lost.

    Returns:
        (verdict, sentence). What cannot be asked makes the verdict unknown, never healthy.
    """
    lost = _alarms(lines, breaks, canary)
    if lost:
        return "unhealthy", "Something is wrong: " + ", ".join(lost)
    if ledger.problem:
        return "unknown", "Whether anything is lost cannot be told now"
    given_up = _given_up(lines)
    if given_up:
        return "degraded", "Nothing is lost unnoticed; given up and counted: " + ", ".join(given_up)
    if canary.get("state") in ("waiting", "refused"):
        return "unknown", "Nothing is known to be lost; the canary has not arrived yet"
    return "healthy", "Nothing is lost"


def _alarms(lines: Iterable[Line], breaks: Iterable[Break], canary: Row) -> list[str]:
    alarming = [each for each in breaks if each.alarming]
    gaps = sum(each.kind == "gap" for each in alarming)
    found = (
        (whole(canary, "missing"), "canary line is missing", "canary lines are missing"),
        (whole(canary, "duplicated"), "canary line is stored twice", "canary lines are stored twice"),
        (gaps, "gap that nobody explains", "gaps that nobody explains"),
        (len(alarming) - gaps, "range is stored twice", "ranges are stored twice"),
        (sum(line.off_by != 0 for line in lines), "sum does not hold", "sums do not hold"),
    )
    return [plural(count, one, many) for count, one, many in found if count]


def _given_up(lines: Iterable[Line]) -> list[str]:
    lines = list(lines)
    losses = [loss for line in lines for loss in line.losses]
    found = (
        (sum(loss.blocks for loss in losses), "block dropped", "blocks dropped"),
        (sum(loss.lines for loss in losses if not loss.blocks), "line taken out", "lines taken out"),
        (sum(whole(line.row, "rejected") for line in lines), "block rejected", "blocks rejected"),
    )
    return [plural(count, one, many) for count, one, many in found if count]


def canary_sentence(canary: Row) -> str:
    """Say what the canary says."""
    state, reason = text_of(canary, "state"), text_of(canary, "reason")
    said = {
        "off": "The canary is off (canary_interval_s = 0): only the agents' counters are compared.",
        "starting": "The canary has just begun.",
        "waiting": f"The canary waits: {reason}.",
        "refused": f"The collector's own front door refuses the canary: {reason}.",
        "missing": "Lines of the canary were acknowledged and are not in the tables, though everything older is.",
        "duplicated": "Lines of the canary are in the tables more than once.",
    }
    if state != "ok":
        return said.get(state, "")
    return f"The canary's last line was found {duration_s(canary.get('latency_s'))} after its 2xx; none is missing, none doubled."


def disk_sentence(disk: Row) -> str:
    """Say what ClickHouse's data take of the disk, and what had to go to make room."""
    if not disk or disk.get("bytes") is None:
        return ""
    bound = f" of at most {size_bytes(disk['max_bytes'])}" if disk.get("max_bytes") is not None else ""
    free = f"{size_bytes(disk.get('free_bytes'))} of the disk are free, {size_bytes(disk.get('min_free_bytes'))} are to stay free"
    said = f"ClickHouse's data take {size_bytes(disk['bytes'])}{bound}; {free}"
    dropped = rows_of(disk.get("dropped"))
    if not dropped:
        return f"{said}."
    last, gone = dropped[0], plural(len(dropped), "partition was", "partitions were")
    which = f"{text_of(last, 'table')} {text_of(last, 'partition')} with {number(last.get('rows'))} rows"
    return f"{said}; {gone} dropped early to make room, the last of them {which} at {text_of(last, 'at')}."


def part(section: Section, name: str) -> Row:
    """Give a part of the pipeline's answer; empty while unknown."""
    return mapping(section.first or {}, name)


def mapping(row: Row, name: str) -> Mapping[str, Any]:
    """Give a nested object of an API row; empty if it is anything else."""
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def whole(row: Row, name: str) -> int:
    """Give a count of an API row; 0 if it is none."""
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _line_order(line: Line) -> tuple[bool, bool, str, str, str]:
    return (
        not line.alarming,
        not line.troubled,
        text_of(line.row, "service"),
        text_of(line.row, "signal"),
        line.agent,
    )


def _agent_order(row: Row) -> tuple[int, str]:
    state = text_of(row, "state")
    return AGENT_ORDER.index(state) if state in AGENT_ORDER else 0, text_of(row, "name")


PAGE = Page("/pipeline", "pipeline.html", "pipeline", PipelineContext, load, {"volume": volume.PART})
