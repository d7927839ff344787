"""What the commands share: their options, the way to the collector and its end, one question or page after page."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from collector.terminal.address import address
from collector.terminal.output import ERROR, INTERRUPTED, Row, TerminalError, tell
from collector.terminal.remote import Found, Remote
from collector.terminal.waiting import waiting

_PAGE_ROWS = 1000
_LIMIT_MOST = 1_000_000
# What a pipe whose reader ended leaves in the shell, as of any other program.
_BROKEN_PIPE = 141

Search = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SEARCH]...",
        help="Lucene-style: 'service:checkout severity:>=error \"timed out\"'; several are one with spaces between; none: everything.",
    ),
]
UrlOption = Annotated[str | None, typer.Option("--url", help="The collector; default FUSEBOARD_URL, the file, http://127.0.0.1:4318.")]  # fmt: skip
KeyOption = Annotated[str | None, typer.Option("--key", help="Its read key; default FUSEBOARD_KEY, the file. Others on this machine see options.")]  # fmt: skip
JsonOption = Annotated[bool, typer.Option("--json", help="JSON lines, as in a pipe.")]
StartOption = Annotated[str | None, typer.Option("--start", help="RFC 3339, epoch, '-1h', 'now-1h'; default: an hour before --end.")]  # fmt: skip
EndOption = Annotated[str | None, typer.Option("--end", help="As --start; default: now.")]
EnvOption = Annotated[str, typer.Option("--env", help="Only this environment.")]


def limit_option(most: str) -> Any:
    """Return the option ``--limit`` with *most* as its help."""
    return typer.Option("--limit", "-n", min=1, max=_LIMIT_MOST, help=most)


def joined(words: list[str] | None) -> str:
    """Return the words of a search as one."""
    return " ".join(words or ())


@contextmanager
def asking(url: str | None, key: str | None) -> Iterator[Remote]:
    """Open the way to the collector; what fails is a sentence and exit code 2, Ctrl-C 130."""
    remote: Remote | None = None
    try:
        remote = Remote(address(url, key))
        yield remote
        sys.stdout.flush()
    except TerminalError as error:
        tell([str(error)])
        raise typer.Exit(ERROR) from error
    except KeyboardInterrupt as interrupt:
        raise typer.Exit(INTERRUPTED) from interrupt
    except BrokenPipeError as broken:
        # the interpreter flushes once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(_BROKEN_PIPE) from broken
    finally:
        if remote is not None:
            remote.close()


def answered(remote: Remote, ask: Callable[[], Found]) -> list[Row]:
    """Ask once, with its progress, and pass on its warnings."""
    with waiting(remote):
        found = ask()
    tell(found.warnings)
    return list(found.rows)


def paged(remote: Remote, path: str, params: Mapping[str, object], text: str, limit: int) -> list[Row]:
    """Ask page after page until there are *limit* rows."""
    rows: list[Row] = []
    cursor = ""
    with waiting(remote):
        while True:
            page = {**params, "limit": min(limit - len(rows), _PAGE_ROWS), "cursor": cursor}
            found = remote.get(path, page, text)
            if not cursor:
                tell(found.warnings)
            rows += found.rows
            cursor = found.cursor
            if not cursor or not found.rows or len(rows) >= limit:
                return rows
