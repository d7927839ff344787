r"""
The process that ``fuseboard-agent run`` runs: started, told the signals that we are told, and waited for.

``block_signals`` comes before any thread is started, so that every signal waits until ``supervise`` takes it: one that comes
before the child is there cannot be lost and cannot end us and orphan the child. The child itself is started (posix_spawn)
with the signal mask and the dispositions that we were started with.

Job control: the terminal's own signals (Ctrl-C, Ctrl-\, a new window size) go to the whole foreground group, so the child has
them already and is not told twice; Ctrl-Z stops both of us, and going on is passed on. As process 1 of a container we inherit
orphans: whatever ends is reaped.

A SIGKILL cannot be passed on: the child goes on without us, and its next write finds a closed pipe (SIGPIPE).
"""

import contextlib
import os
import signal
from dataclasses import dataclass

ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
FORWARDED = ENDING | {signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGCONT, signal.SIGTSTP}
_WAITED_FOR = FORWARDED | {signal.SIGCHLD}
_RESET = (signal.SIGPIPE, signal.SIGXFSZ)  # CPython ignores these; a program expects them not to be
_FROM_KERNEL = 0x80  # siginfo's si_code SI_KERNEL: the terminal's, not somebody's kill(2)


@dataclass(frozen=True, slots=True)
class Child:
    """A running child: its process id and our ends of its standard output and standard error."""

    pid: int
    stdout: int
    stderr: int


def block_signals() -> set[signal.Signals]:
    """Let signals wait from now on, in this thread and those that it starts; gives the mask that was."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would take the exit codes away
    return {signal.Signals(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)}


def asked_to_end() -> int:
    """Give a signal that waits and asks us to end; 0 when there is none."""
    return int(next(iter(signal.sigpending() & ENDING), 0))


def start(command: list[str], mask: set[signal.Signals]) -> Child:
    """
    Start *command*, found on PATH, under the signal mask *mask*; it inherits our standard input.

    Raises:
        OSError: There is no such program, or it cannot be executed.
    """
    out_read, out_write = os.pipe()
    error_read, error_write = os.pipe()
    try:
        pid = os.posix_spawnp(
            command[0],
            command,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, out_write, 1), (os.POSIX_SPAWN_DUP2, error_write, 2)],
            setsigmask=mask,
            setsigdef=_RESET,
        )
    except OSError:
        os.close(out_read)
        os.close(error_read)
        raise
    finally:
        os.close(out_write)
        os.close(error_write)
    return Child(pid, out_read, error_read)


def supervise(child: Child) -> int:
    """
    Pass signals on until the child has ended.

    Returns:
        Its exit code; 128 + signal when a signal ended it, as a shell has it.
    """
    while True:
        code = _reap(child.pid)
        if code is not None:
            return code if code >= 0 else 128 - code
        received = signal.sigwaitinfo(_WAITED_FOR)
        if received.si_signo == signal.SIGCHLD:
            continue
        if received.si_code != _FROM_KERNEL:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, received.si_signo)
        if received.si_signo == signal.SIGTSTP:
            os.kill(os.getpid(), signal.SIGSTOP)


def _reap(pid: int) -> int | None:
    """Wait for everything that has ended; the answer is the exit code of *pid* if it was among them."""
    code = None
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if not ended:
            return code
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)
