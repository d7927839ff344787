"""Child processes that do not outlive their parent, are started again when they die, and are ended by pid."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded here: after fork only the call itself is safe
RESTART_DELAY_S = 2.0  # long enough for callers to notice


@dataclass
class Child:
    """
    One process.

    Args:
        name: For people.
        command: What is run.
        env: Its whole environment.
        output: File that takes stdout and stderr.
        restarts: How often it was started again.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    output: Path
    restarts: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _due_at: float | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """Return the process's id, 0 if it was never started."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start the process; the kernel kills it when this process dies."""
        parent = os.getpid()

        def die_with_parent() -> None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the parent died between fork and prctl
                os._exit(1)

        self.output.parent.mkdir(parents=True, exist_ok=True)
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches the orchestrator only, which stops us in order
                preexec_fn=die_with_parent,  # noqa: PLW1509 - the orchestrator has one thread
            )
        self._due_at = None

    def exit_code(self) -> int | None:
        """Return how it ended (negative: by signal), None while it runs."""
        return self._process.poll() if self._process else None

    def restart_if_dead(self) -> bool:
        """Start it again RESTART_DELAY_S after it was first seen dead; return whether that happened now."""
        if self.exit_code() is None:
            return False
        if self._due_at is None:
            self._due_at = time.monotonic() + RESTART_DELAY_S
        if time.monotonic() < self._due_at:
            return False
        self.restarts += 1
        self.start()
        return True

    def signal_stop(self) -> None:
        """Send SIGTERM if it runs."""
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def wait_stopped(self, deadline: float) -> None:
        """Wait until it ended; kill it at *deadline* (monotonic seconds)."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """Return the end of its output, for an error message."""
        return self.output.read_text(errors="replace")[-2000:] if self.output.exists() else ""


def stop_all(children: Sequence[Child], grace_s: float) -> None:
    """Stop *children* together and wait for all of them, at most *grace_s* seconds."""
    for child in children:
        child.signal_stop()
    deadline = time.monotonic() + grace_s
    for child in children:
        child.wait_stopped(deadline)
