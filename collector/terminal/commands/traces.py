"""Commands about traces: found, and one as a tree."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.terminal import traces, waterfall
from collector.terminal.asking import (
    EndOption,
    EnvOption,
    JsonOption,
    KeyOption,
    Search,
    StartOption,
    UrlOption,
    answered,
    asking,
    joined,
    limit_option,
    paged,
)
from collector.terminal.output import Output


def find_traces(
    search: Search = None,
    service: Annotated[str, typer.Option("--service", help="Only traces with a span of this service.")] = "",
    error: Annotated[
        bool | None, typer.Option("--error/--no-error", help="Only failed, or only unfailed ones.")
    ] = None,
    min_duration_ms: Annotated[
        float, typer.Option("--min-duration-ms", min=0, help="Only those that took at least so long.")
    ] = 0,
    start: StartOption = None,
    end: EndOption = None,
    env: EnvOption = "",
    limit: Annotated[int, limit_option("Most traces, the newest first.")] = 20,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Traces, the newest first."""
    output, text = Output(as_json=as_json), joined(search)
    with asking(url, key) as remote:
        params = {
            "query": text,
            "service": service,
            "error": "" if error is None else str(error).lower(),
            "min_duration_ms": min_duration_ms or "",
            "start": start,
            "end": end,
            "env": env,
        }
        rows = paged(remote, "/traces", params, text, limit)
        code = output.rows(rows, traces.traces)
    raise typer.Exit(code)


def trace(
    trace_id: Annotated[str, typer.Argument(help="32 hexadecimal digits.", metavar="ID")],
    start: StartOption = None,
    end: EndOption = None,
    limit: Annotated[int, limit_option("Most spans of the picture.")] = 500,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """One trace as a tree with bars, with what was logged and which breakers changed meanwhile."""
    output = Output(as_json=as_json)
    with asking(url, key) as remote:
        path = f"/traces/{_segment(trace_id)}"
        rows = answered(remote, lambda: remote.get(path, {"start": start, "end": end}, trace_id))
        found = [row for row in rows if row.get("spans") or row.get("logs")]
        code = output.rows(found, lambda console, some: waterfall.show(console, some[0], limit))
    raise typer.Exit(code)


def _segment(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
