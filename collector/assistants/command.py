"""The command ``fuseboard mcp``; the SDK is imported when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.terminal.address import address
from collector.terminal.asking import KeyOption, UrlOption
from collector.terminal.output import ERROR, INTERRUPTED, TerminalError, tell
from collector.terminal.remote import Remote


def mcp(
    most_chars: Annotated[
        int,
        typer.Option(
            "--max-chars",
            min=2000,
            max=200_000,
            help="Characters of an answer; beyond, it says what is left out.",
        ),
    ] = 20_000,
    most_rows: Annotated[int, typer.Option("--max-rows", min=1, max=200, help="Rows of a search.")] = 100,
    timeout_s: Annotated[
        float, typer.Option("--timeout-s", min=1, max=600, help="Seconds that a question may take.")
    ] = 30,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """The same questions as tools for assistants: a read-only server of the Model Context Protocol on standard input and output (extra 'mcp')."""
    try:
        from collector.assistants.server import server
        from collector.assistants.tools import Tools
    except ImportError as error:
        tell([f"'mcp' needs an extra that is not installed ({error.name}): pip install 'fuseboard[mcp]'"])
        raise typer.Exit(ERROR) from error
    remote: Remote | None = None
    try:
        remote = Remote(address(url, key), timeout_s)
        server(Tools(remote, most_chars, most_rows)).run("stdio")
    except TerminalError as error:
        tell([str(error)])
        raise typer.Exit(ERROR) from error
    except KeyboardInterrupt as interrupt:
        raise typer.Exit(INTERRUPTED) from interrupt
    finally:
        if remote is not None:
            remote.close()
