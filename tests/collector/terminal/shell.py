"""The program as a person has it: in a pipe, or on a terminal of its own."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from collector.__main__ import cli

ROOT = Path(__file__).parents[3]
_DEADLINE_S = 60.0


def environment(url: str, **more: str) -> dict[str, str]:
    """The environment of a shell that knows the collector, and nothing of this machine's own settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FUSEBOARD_", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_"))}  # fmt: skip
    return {**kept, "FUSEBOARD_URL": url, "XDG_CONFIG_HOME": "/nonexistent", "TERM": "xterm-256color", "PYTHONPATH": str(ROOT), **more}  # fmt: skip


def command(*arguments: str) -> list[str]:
    """The program with *arguments*."""
    return [sys.executable, "-m", "collector", *arguments]


@dataclass(frozen=True)
class Done:
    """What came of a run."""

    returncode: int
    stdout: str
    stderr: str


def piped(url: str, *arguments: str, stdin: str | None = None, **more: str) -> Done:
    """Run it with its output in a pipe, in this process: what it imports is imported once."""
    found = CliRunner().invoke(
        cli, list(arguments), input=stdin, env={**_unset(), **environment(url, **more)}
    )
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return Done(found.exit_code, found.stdout, found.stderr)


def _unset() -> dict[str, None]:
    return {name: None for name in os.environ if name.startswith("FUSEBOARD_")}


class OnTerminal:
    """
    It runs on a pseudo-terminal 160 columns wide; what it writes, errors included, is `text`.

    Args:
        url: The collector.
        arguments: Of the program.
        more: Environment.
    """

    def __init__(self, url: str, *arguments: str, **more: str) -> None:
        self._master, slave = pty.openpty()
        env = environment(url, COLUMNS="160", LINES="50", **more)
        interruptible = [
            "env",
            "--default-signal=INT",
        ]  # even where the tests themselves run in the background
        self.process = subprocess.Popen([*interruptible, *command(*arguments)], cwd=ROOT, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)  # fmt: skip
        os.close(slave)
        self._poll = select.poll()
        self._poll.register(self._master, select.POLLIN)
        self.text = ""
        self._began = time.monotonic()

    def read(self, until: str = "") -> str:
        """Read until *until* stands there, or to the end; everything read so far."""
        while not (until and until in self.text) and self._some():
            assert time.monotonic() - self._began < _DEADLINE_S, self.text
        return self.text

    def _some(self) -> bool:
        if not self._poll.poll(
            1000
        ):  # select() knows no descriptor beyond 1023, and an engine in this process has many files open
            return True
        try:
            found = os.read(self._master, 65536)
        except OSError:  # Linux says so when the other end is closed
            return False
        self.text += found.decode(errors="replace")
        return bool(found)

    def end(self) -> int:
        """Read what is left; the exit code."""
        self.read()
        code = self.process.wait(timeout=_DEADLINE_S)
        os.close(self._master)
        return code

    def kill(self) -> None:
        """End it, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def on_terminal(url: str, *arguments: str, **more: str) -> tuple[int, str]:
    """Run it to its end on a terminal: exit code and what stood there."""
    running = OnTerminal(url, *arguments, **more)
    try:
        code = running.end()
    finally:
        running.kill()
    return code, running.text
