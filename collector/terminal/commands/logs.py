"""Commands about log records: found, followed, as patterns."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from collector.terminal import records
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
