"""
One trace as a tree with bars, and what was logged meanwhile.

Spans hang below their parents, in the order of their starts; one whose parent is not in the trace stands at the root and says so. Whatever the spans claim,
each is shown once: parents in a circle are broken where the walk began.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector.terminal.output import Row
from collector.terminal.plain import clock, duration, nanoseconds, safe_line
from collector.terminal.records import SEVERITY_STYLES, service_style

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_BAR_CHARS = 32
# Deeper ones are shown at this depth: a line has an end.
_DEPTH_MOST = 24
_NAME_CHARS = 60


@dataclass(frozen=True, slots=True)
class Placed:
    """
    A span where it stands.

    Attributes:
        span: As the API gives it.
        start_ns: Since the epoch.
        duration_ns: Not negative.
        depth: 0 = at the root.
        orphan: Its parent is not in the trace.
    """

    span: Row
    start_ns: int
    duration_ns: int
    depth: int
    orphan: bool


def placed(spans: Sequence[Row]) -> list[Placed]:
    """Put *spans* in the order of the tree, at their corrected times."""
    by_id = {str(span.get("span_id")): span for span in spans}
    children: dict[str, list[Row]] = {}
    for span in spans:
        parent = str(span.get("parent_span_id") or "")
        children.setdefault(parent if parent in by_id else "", []).append(span)
    seen: set[int] = set()
    found = [each for span in _by_start(children.get("", ())) for each in _walk(span, children, by_id, seen)]
    # what hangs in a circle hangs on no root
    for span in _by_start(spans):
        found.extend(_walk(span, children, by_id, seen))
    return found


def _by_start(spans: Sequence[Row]) -> list[Row]:
    return sorted(spans, key=_start_ns)


def _start_ns(span: Row) -> int:
    """Return when *span* began, corrected for its service's clock where the collector does that."""
    return nanoseconds(span.get("adjusted_start")) or nanoseconds(span.get("start")) or 0


def _walk(
    root: Row, children: Mapping[str, Sequence[Row]], by_id: Mapping[str, Row], seen: set[int]
) -> Iterator[Placed]:
    """Give *root* and what hangs below it; without recursion, for a chain of spans may be thousands long."""
    stack = [(root, 0)]
    while stack:
        span, depth = stack.pop()
        if id(span) in seen:
            continue
        seen.add(id(span))
        parent = str(span.get("parent_span_id") or "")
        yield Placed(
            span,
            _start_ns(span),
            max(0, _whole(span.get("duration_ns"))),
            depth,
            bool(parent) and parent not in by_id,
        )
        below = children.get(str(span.get("span_id")), ())
        stack.extend((child, depth + 1) for child in reversed(_by_start(below)))


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else 0


def show(console: Console, trace: Row, limit: int) -> None:
    """
    Print a trace.

    Args:
        console: Where.
        trace: ``{trace_id, spans, logs, transitions}``.
        limit: Most spans.
    """
    spans = placed([span for span in trace.get("spans") or () if isinstance(span, dict)])
    console.print(_head(trace, spans))
    stored = _whole(trace.get("spans_total"))
    if stored > len(spans):
        console.print(f"the first {len(spans):,} of {stored:,} spans")
    if spans:
        console.print(_tree(spans, limit))
    if len(spans) > limit:
        console.print(f"… {len(spans) - limit:,} more spans; --limit shows them")
    for line in _meanwhile(trace, min((each.start_ns for each in spans), default=0)):
        console.print(line)


def _head(trace: Row, spans: Sequence[Placed]) -> Text:
    from rich.text import Text

    text = Text(f"trace {safe_line(trace.get('trace_id', ''))}", "bold")
    if spans:
        start, end = _extent(spans)
        services = {str(each.span.get("service")) for each in spans}
        failed = sum(each.span.get("status") == "error" for each in spans)
        text.append(f"  {clock(_earliest(spans).span.get('adjusted_start') or _earliest(spans).span.get('start'))}  {duration(end - start)}  {len(spans):,} spans, {len(services)} services", "default")  # fmt: skip
        if failed:
            text.append(f", {failed:,} failed", "red")
    return text


def _earliest(spans: Sequence[Placed]) -> Placed:
    return min(spans, key=lambda each: each.start_ns)


def _extent(spans: Sequence[Placed]) -> tuple[int, int]:
    return min(each.start_ns for each in spans), max(each.start_ns + each.duration_ns for each in spans)


def _tree(spans: Sequence[Placed], limit: int) -> Any:
    from rich.table import Table

    start, end = _extent(spans)
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("span", overflow="fold")
    table.add_column("duration", justify="right", no_wrap=True)
    table.add_column("at", justify="right", no_wrap=True)
    table.add_column("on path", justify="right", no_wrap=True)  # of the critical path
    table.add_column("", no_wrap=True, width=_BAR_CHARS)
    for each in spans[:limit]:
        table.add_row(
            _name(each),
            duration(each.duration_ns),
            f"+{duration(each.start_ns - start)}",
            duration(critical) if (critical := _whole(each.span.get("critical_ns"))) else "",
            _bar(each, start, max(1, end - start)),
        )
    return table


def _name(each: Placed) -> Text:
    from rich.text import Text

    span = each.span
    failed = span.get("status") == "error"
    name = safe_line(span.get("name", ""))
    indent = "  " * (min(each.depth, _DEPTH_MOST) - 1) + "└ " if each.depth else ""
    text = Text(indent, "dim")
    text.append("✗ " if failed else "", "bold red")
    text.append(safe_line(span.get("service", "")), service_style(span.get("service")))
    text.append(f" {name if len(name) <= _NAME_CHARS else name[:_NAME_CHARS] + '…'}", "red" if failed else "default")  # fmt: skip
    if each.orphan:
        text.append(" (its parent is missing)", "dim")
    if skew := _whole(span.get("skew_ns")):
        text.append(f" (clock {'+' if skew > 0 else ''}{duration(skew)})", "dim")
    if failed and span.get("status_message"):
        text.append(f" {safe_line(span['status_message'])}", "red")
    return text


def _bar(each: Placed, start: int, whole: int) -> Text:
    from rich.text import Text

    before = min(_BAR_CHARS - 1, (each.start_ns - start) * _BAR_CHARS // whole)
    length = max(1, min(_BAR_CHARS - before, round(each.duration_ns * _BAR_CHARS / whole)))
    style = "red" if each.span.get("status") == "error" else service_style(each.span.get("service"))
    return Text(" " * before).append("█" * length, style)


def _meanwhile(trace: Row, start_ns: int) -> Iterator[Text]:
    """Give log records and transitions as lines, in the order of their times."""
    lines = [
        ((nanoseconds(row.get("occurred_at")) or 0) + _whole(row.get("skew_ns")), _log(row))
        for row in trace.get("logs") or ()
        if isinstance(row, dict)
    ]
    lines += [(nanoseconds(row.get("at")) or 0, _transition(row)) for row in trace.get("transitions") or () if isinstance(row, dict)]  # fmt: skip
    for ns, line in sorted(lines, key=lambda pair: pair[0]):
        offset = duration(ns - start_ns) if ns and start_ns else ""
        yield _at(offset if offset.startswith("-") or not offset else f"+{offset}").append_text(line)


def _at(offset: str) -> Text:
    from rich.text import Text

    return Text(f"{offset:>10} ", "dim")


def _log(row: Row) -> Text:
    from rich.text import Text

    severity = safe_line(row.get("severity") or "-")
    text = Text(f"{severity.upper():5} ", SEVERITY_STYLES.get(severity, ""))
    text.append(safe_line(row.get("service", "")), service_style(row.get("service")))
    return text.append(f" {safe_line(row.get('body', ''))}", "default")


def _transition(row: Row) -> Text:
    from rich.text import Text

    text = Text("⚡ breaker ", "bold yellow")
    text.append(safe_line(row.get("service", "")), service_style(row.get("service")))
    reason = f" ({safe_line(row['reason'])})" if row.get("reason") else ""
    return text.append(f" {safe_line(row.get('breaker', ''))}: {safe_line(row.get('from', ''))} → {safe_line(row.get('to', ''))}{reason}", "default")  # fmt: skip
