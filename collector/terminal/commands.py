"""The commands: options, one question each, an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer

from collector.terminal import board, metrics, oncall, plain, records, statements, traces, waterfall, work
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
from collector.terminal.output import FOUND, NOTHING, Output, Row, tell
from collector.terminal.remote import Remote
from collector.terminal.tail import follow
from collector.terminal.waiting import waiting


def query(
    search: Search = None,
    start: StartOption = None,
    end: EndOption = None,
    env: EnvOption = "",
    limit: Annotated[int, limit_option("Most records: the newest ones.")] = 100,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Log records matching a search: the newest --limit, the newest last."""
    output, text = Output(as_json=as_json), joined(search)
    with asking(url, key) as remote:
        params = {"query": text, "start": start, "end": end, "env": env}
        rows = paged(remote, "/logs", params, text, limit)
        code = output.rows(rows[::-1], records.records)
    raise typer.Exit(code)


def tail(
    search: Search = None,
    env: EnvOption = "",
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=10_000, help="Records of before to begin with.")
    ] = 10,
    following: Annotated[
        bool, typer.Option("--follow/--no-follow", "-f", help="Go on with new ones.")
    ] = True,
    limit: Annotated[int, typer.Option("--limit", min=0, help="End after so many records; 0 = never.")] = 0,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Follow log records as they come, until Ctrl-C."""
    output = Output(as_json=as_json)
    with asking(url, key) as remote:
        code = _followed(remote, output, joined(search), env, lines, limit if following else lines)
    raise typer.Exit(code)


def _followed(remote: Remote, output: Output, search: str, env: str, lines: int, limit: int) -> int:
    """Print the last *lines* records, then new ones, until *limit* are shown; the stream is open before the last ones are asked for, so none is missed."""
    only_before = limit == lines and lines > 0
    shown: set[object] = set()
    stream = iter([None]) if only_before else follow(remote, {"query": search, "env": env}, search)
    count = 0
    for record in stream:
        before = _before(remote, search, env, lines) if record is None else []
        shown |= {row.get("id") for row in before}
        new = [record] if record is not None and record.get("id") not in shown else []
        for row in (*before, *new):
            _print(output, row)
            count += 1
            if limit and count >= limit:
                return FOUND
    return FOUND if count else NOTHING


def _before(remote: Remote, search: str, env: str, lines: int) -> list[Row]:
    if not lines:
        return []
    found = remote.get("/logs", {"query": search, "env": env, "limit": lines}, search)
    tell(found.warnings)
    return list(found.rows[::-1])


def _print(output: Output, row: Row) -> None:
    if output.is_json:
        output.line(row)
        sys.stdout.flush()
    else:
        output.console.print(records.record(row))


def patterns(
    search: Search = None,
    start: StartOption = None,
    end: EndOption = None,
    env: EnvOption = "",
    new_since: Annotated[
        str,
        typer.Option("--new-since", help="Mark what is new since a time, 'deploy' or 'deploy:<version>'."),
    ] = "",
    limit: Annotated[int, limit_option("Most patterns, the commonest first.")] = 50,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """What the records of a search say: templates with counts, the commonest first."""
    output, text = Output(as_json=as_json), joined(search)
    with asking(url, key) as remote:
        params = {"query": text, "start": start, "end": end, "env": env, "new_since": new_since, "limit": min(limit, 1000)}  # fmt: skip
        rows = answered(remote, lambda: remote.get("/logs/patterns", params, text))
        code = output.rows(rows, records.patterns)
    raise typer.Exit(code)


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


def breakers(
    service: Annotated[str, typer.Option("--service", help="Only this service's.")] = "",
    state: Annotated[str, typer.Option("--state", help="Only these: 'open', 'open,half_open'.")] = "",
    start: StartOption = None,
    end: EndOption = None,
    env: EnvOption = "",
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """The board: every breaker as it stands, open ones first."""
    output = Output(as_json=as_json)
    wanted = {each.strip() for each in state.split(",") if each.strip()}
    with asking(url, key) as remote:
        params = {"service": service, "start": start, "end": end, "env": env}
        rows = answered(remote, lambda: remote.get("/breakers", params))
        code = output.rows([row for row in rows if not wanted or row.get("state") in wanted], board.breakers)
    raise typer.Exit(code)


def services(
    health: Annotated[
        str, typer.Option("--health", help="Only these: 'unhealthy', 'unhealthy,degraded'.")
    ] = "",
    start: StartOption = None,
    end: EndOption = None,
    env: EnvOption = "",
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Services with their health, the evidence, and requests, errors and durations."""
    output = Output(as_json=as_json)
    wanted = {each.strip() for each in health.split(",") if each.strip()}
    with asking(url, key) as remote:
        rows = answered(remote, lambda: remote.get("/services", {"start": start, "end": end, "env": env}))
        code = output.rows([row for row in rows if not wanted or row.get("health") in wanted], board.services)
    raise typer.Exit(code)


def causes(
    service: Annotated[str, typer.Option("--service", help="Whose trouble; default: anybody's.")] = "",
    start: StartOption = None,
    end: EndOption = None,
    env: EnvOption = "",
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Where trouble began: probable causes with their evidence, the likeliest first."""
    output = Output(as_json=as_json)
    params = {"service": service, "start": start, "end": end, "env": env}
    with asking(url, key) as remote:
        code = output.rows(answered(remote, lambda: remote.get("/causes", params)), board.causes)
    raise typer.Exit(code)


def deploys(
    service: Annotated[str, typer.Option("--service", help="Only this service's.")] = "",
    start: StartOption = None,
    end: EndOption = None,
    env: EnvOption = "",
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Deploys with what they changed: regressed, improved, unchanged, and the evidence."""
    output = Output(as_json=as_json)
    params = {"service": service, "start": start, "end": end, "env": env}
    with asking(url, key) as remote:
        code = output.rows(answered(remote, lambda: remote.get("/deploys", params)), work.deploys)
    raise typer.Exit(code)


def queues(
    start: StartOption = None,
    end: EndOption = None,
    env: EnvOption = "",
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Queues with who sends and who takes, how far behind they are and whether they grow, the worst first."""
    output = Output(as_json=as_json)
    params = {"start": start, "end": end, "env": env}
    with asking(url, key) as remote:
        code = output.rows(answered(remote, lambda: remote.get("/queues", params)), work.queues)
    raise typer.Exit(code)


def hot(
    start: StartOption = None,
    end: EndOption = None,
    env: EnvOption = "",
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Services by what presses them: which to scale next, and what would help."""
    output = Output(as_json=as_json)
    params = {"start": start, "end": end, "env": env}
    with asking(url, key) as remote:
        code = output.rows(answered(remote, lambda: remote.get("/hot", params)), work.hot)
    raise typer.Exit(code)


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


def incidents(
    state: Annotated[
        str, typer.Option("--state", help="Only these: 'open,acknowledged'; default: all but merged ones.")
    ] = "",
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Incidents: pages with one root as one story, the newest first."""
    output = Output(as_json=as_json)
    with asking(url, key) as remote:
        code = output.rows(
            answered(remote, lambda: remote.get("/incidents", {"state": state})), oncall.incidents
        )
    raise typer.Exit(code)


def silences(as_json: JsonOption = False, url: UrlOption = None, key: KeyOption = None) -> None:
    """Silences and maintenance windows: who is not told of which alerts, until when, and why."""
    output = Output(as_json=as_json)
    with asking(url, key) as remote:
        code = output.rows(answered(remote, lambda: remote.get("/silences", {})), oncall.silences)
    raise typer.Exit(code)


COMMANDS: Mapping[str, Callable[..., None]] = {
    "query": query,
    "tail": tail,
    "patterns": patterns,
    "traces": find_traces,
    "trace": trace,
    "breakers": breakers,
    "services": services,
    "causes": causes,
    "incidents": incidents,
    "silences": silences,
    "deploys": deploys,
    "queues": queues,
    "hot": hot,
    "promql": promql,
    "sql": sql,
}


def add_to(cli: typer.Typer, commands: Mapping[str, Callable[..., None]] = COMMANDS) -> None:
    """Add *commands* to the program."""
    for name, command in commands.items():
        cli.command(name, rich_help_panel="Ask a collector (exit 0: found, 1: nothing, 2: an error)")(command)
