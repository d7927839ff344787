"""
``fuseboard keys …`` and ``fuseboard quarantine …``: what an admin does from a shell, over the same API as the pages.

A secret is told once, on standard output and nothing else with it in a pipe, so that ``KEY=$(fuseboard keys create …)`` works.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from collector.terminal.asking import (
    EndOption,
    JsonOption,
    KeyOption,
    StartOption,
    UrlOption,
    answered,
    asking,
)
from collector.terminal.board import make_table
from collector.terminal.output import FOUND, Output, Row, TerminalError, tell
from collector.terminal.plain import clock, safe_line

if TYPE_CHECKING:
    from rich.console import Console

keys_cli = typer.Typer(
    no_args_is_help=True, help="Keys that write and ask: list, create, rotate, revoke; needs an admin's key."
)

quarantine_cli = typer.Typer(
    no_args_is_help=True, help="Batches that were set aside because their bytes cannot be loaded."
)

KeyName = Annotated[str, typer.Argument(help="A key's name or id.", show_default=False)]


@keys_cli.command("list")
def list_keys(as_json: JsonOption = False, url: UrlOption = None, key: KeyOption = None) -> None:
    """Keys, what they may and when they were last used; never a secret."""
    output = Output(as_json=as_json)
    with asking(url, key) as remote:
        code = output.rows(answered(remote, lambda: remote.get("/keys", {})), _keys)
    raise typer.Exit(code)


@keys_cli.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="Stands in logs and the ledger.", show_default=False)],
    kind: Annotated[str, typer.Option("--kind", help="ingest: writes telemetry. read: asks.")] = "ingest",
    role: Annotated[str, typer.Option("--role", help="Of kind read: viewer, editor, admin.")] = "",
    service: Annotated[
        list[str] | None, typer.Option("--service", help="May write as this one only; repeatable.")
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option("--env", help="May write in this environment only; repeatable.")
    ] = None,
    expires_in_days: Annotated[int, typer.Option("--expires-in-days", min=0, help="0 = never.")] = 0,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Make a key and print its secret, this once."""
    wanted = {"name": name, "kind": kind, "role": role or None, "services": service or [], "envs": env or [],
              "expires_in_days": expires_in_days or None}  # fmt: skip
    with asking(url, key) as remote:
        made = answered(
            remote, lambda: remote.send("POST", "/keys", {k: v for k, v in wanted.items() if v is not None})
        )
        _tell_secret(made, as_json=as_json)


@keys_cli.command("rotate")
def rotate_key(
    name: KeyName,
    overlap_s: Annotated[
        int, typer.Option("--overlap-s", min=0, help="Seconds for which the secret before opens, too.")
    ] = 0,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Give a key another secret and print it, this once."""
    with asking(url, key) as remote:
        found = _named(answered(remote, lambda: remote.get("/keys", {})), name)
        made = answered(
            remote, lambda: remote.send("POST", f"/keys/{found}/rotate", {"overlap_s": overlap_s})
        )
        _tell_secret(made, as_json=as_json)


@keys_cli.command("revoke")
def revoke_key(name: KeyName, url: UrlOption = None, key: KeyOption = None) -> None:
    """End a key: it opens nothing any more, at no collector that shares the state."""
    with asking(url, key) as remote:
        found = _named(answered(remote, lambda: remote.get("/keys", {})), name)
        answered(remote, lambda: remote.send("DELETE", f"/keys/{found}"))
        tell([f"revoked {safe_line(name)}"])


@quarantine_cli.command("list")
def list_quarantined(
    start: StartOption = None,
    end: EndOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Batches set aside, with the reason, newest first; their bytes lie in the collector's data_dir/quarantine."""
    output = Output(as_json=as_json)
    with asking(url, key) as remote:
        rows = answered(remote, lambda: remote.get("/quarantine", {"start": start, "end": end}))
        code = output.rows(rows, _quarantined)
    raise typer.Exit(code)


def _named(rows: Sequence[Row], name: str) -> str:
    """Give the id of the one living key called *name*."""
    found = [
        row
        for row in rows
        if row.get("id") == name or (row.get("name") == name and row.get("state") == "active")
    ]
    if not found:
        raise TerminalError(f"no living key is called {safe_line(name)}; fuseboard keys list shows them")
    if not found[0].get("id"):
        raise TerminalError(f"{safe_line(name)} is a key of the settings: change it there")
    return str(found[0]["id"])


def _tell_secret(made: Sequence[Row], *, as_json: bool) -> None:
    if not made or not made[0].get("secret"):
        raise TerminalError("the collector told no secret; is it of this version?")
    if as_json:
        Output(as_json=True).line(made[0])
    else:
        tell([f"{safe_line(made[0].get('name', ''))}: told this once"])
        typer.echo(str(made[0]["secret"]))
    raise typer.Exit(FOUND)


def _keys(console: Console, rows: Sequence[Row]) -> None:
    table = make_table(
        "name",
        "state",
        "kind",
        "role",
        "services",
        "environments",
        "secret",
        "expires",
        "last used",
        "made by",
    )
    for row in rows:
        table.add_row(
            safe_line(row.get("name", "")), safe_line(row.get("state", "")), safe_line(row.get("kind", "")), safe_line(row.get("role") or "–"),
            _list(row.get("services")), _list(row.get("envs")), safe_line(row.get("masked", "")), _clock(row.get("expires_at")),
            _clock(row.get("last_used_at")), safe_line(row.get("created_by") or row.get("source", "")),
        )  # fmt: skip
    console.print(table)


def _quarantined(console: Console, rows: Sequence[Row]) -> None:
    table = make_table("received", "batch", "format", "bytes", "reason")
    for row in rows:
        table.add_row(
            _clock(row.get("received_at")), safe_line(row.get("batch_id", "")), safe_line(row.get("format", "")),
            safe_line(row.get("bytes", "")), safe_line(row.get("reason", "")),
        )  # fmt: skip
    console.print(table)


def _list(names: object) -> str:
    return ", ".join(safe_line(name) for name in names) if isinstance(names, list) and names else "any"


def _clock(at: object) -> str:
    return str(clock(at)) if at else "–"
