"""How far a slow question is: one line on standard error, gone when the answer is there."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from collector.terminal.output import Row
from collector.terminal.plain import count
from collector.terminal.remote import Remote

# What is quicker needs no word.
_SILENT_S = 0.6
_EVERY_S = 0.4


@contextmanager
def waiting(remote: Remote) -> Iterator[None]:
    """Show how far the question of the block is, where standard error is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_show, args=(remote, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=3)


def _show(remote: Remote, done: threading.Event) -> None:
    if done.wait(_SILENT_S):
        return
    from rich.console import Console

    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    with console.status("asking …") as status:
        while not done.wait(_EVERY_S):
            row = remote.progress()
            if row is not None:
                status.update(sentence(row))


def sentence(row: Row) -> str:
    """Return progress as one line: ``reading 12.3 M of 40 M rows, 31 %, 2.1 s``."""
    seconds = f"{_number(row.get('elapsed_ms')) / 1000:.1f} s"
    if row.get("state") != "running":
        return f"waiting, {seconds}"
    read = count(_number(row.get("rows_read")))
    if row.get("percent") is None:
        return f"reading, {read} rows, {seconds}"
    return f"reading {read} of {count(_number(row.get('rows_total')))} rows, {_number(row['percent']):.0f} %, {seconds}"


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
