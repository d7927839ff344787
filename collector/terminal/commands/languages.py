"""Commands that pass on another language: PromQL and SQL."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from collector.terminal import metrics, plain, statements
from collector.terminal.asking import JsonOption, KeyOption, UrlOption, answered, asking
from collector.terminal.output import Output, tell
from collector.terminal.waiting import waiting


def promql(
    expression: Annotated[
        str, typer.Argument(help="'sum by (service_name) (rate(http_requests_total[5m]))'.")
    ],
    start: Annotated[
        str | None,
        typer.Option("--start", help="A range from here: RFC 3339, epoch, '-1h'; default: one instant."),
    ] = None,
    end: Annotated[str, typer.Option("--end", help="The range's end, or the instant.")] = "now",
    step: Annotated[str, typer.Option("--step", help="Of a range: '30s', or seconds.")] = "60s",
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """A PromQL expression, at an instant or over a range."""
    output = Output(as_json=as_json)
    now = datetime.now(UTC)
    form = {"query": expression}
    if start is None:
        form["time"] = plain.moment_s(end, now)
    else:
        form |= {"start": plain.moment_s(start, now), "end": plain.moment_s(end, now), "step": step}
    with asking(url, key) as remote:
        with waiting(remote):
            data = remote.prometheus("/query" if start is None else "/query_range", form)
        tell(plain.safe(each) for each in data["warnings"])
        code = output.rows(metrics.series(data), metrics.show)
    raise typer.Exit(code)


def sql(
    statement: Annotated[
        str, typer.Argument(help="One SELECT, SHOW, DESCRIBE, EXISTS or EXPLAIN; '-': from standard input.")
    ],
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """A read-only statement of ClickHouse's SQL."""
    output = Output(as_json=as_json)
    text = sys.stdin.read() if statement == "-" else statement
    with asking(url, key) as remote:
        rows = answered(remote, lambda: remote.sql(text))
        code = output.rows(rows, statements.show)
    raise typer.Exit(code)
