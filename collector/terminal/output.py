"""Where answers go: tables and colours on a terminal, JSON lines anywhere else; errors as a sentence on standard error; exit codes as grep's."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from collector.terminal.plain import json_line

if TYPE_CHECKING:
    from rich.console import Console

FOUND, NOTHING, ERROR, INTERRUPTED = 0, 1, 2, 130

Row = Mapping[str, Any]


class TerminalError(Exception):
    """What the person is told; the program ends with `ERROR`."""


class Output:
    """
    Standard output.

    Args:
        as_json: JSON lines also on a terminal.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.is_json = as_json or not sys.stdout.isatty()
        self._ascii_only = "utf" not in (sys.stdout.encoding or "utf").lower()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """The terminal: knows its width, its colours and NO_COLOR; texts are no markup here."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(markup=False, emoji=False, highlight=False, soft_wrap=False)
        return self._console

    def line(self, row: object) -> None:
        """Write one row as JSON."""
        sys.stdout.write(json_line(row, ascii_only=self._ascii_only) + "\n")

    def rows(self, rows: Sequence[Row], show: Callable[[Console, Sequence[Row]], object]) -> int:
        """Write all of *rows*, as JSON lines or by *show*; the exit code."""
        if self.is_json:
            for row in rows:
                self.line(row)
        elif rows:
            show(self.console, rows)
        return FOUND if rows else NOTHING


def tell(sentences: Iterable[str]) -> None:
    """Write sentences to standard error."""
    for sentence in sentences:
        sys.stderr.write(f"fuseboard: {sentence}\n")
    sys.stderr.flush()
