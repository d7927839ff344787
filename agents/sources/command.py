"""
``fuseboard-agent run -- CMD``: runs a process, passes its output through unchanged, and ships its lines.

One thread per stream reads the pipe and writes on at once, so the process never waits for more than our standard output;
lines are cut into blocks each 0.25 s or 1 MiB. When the spool is full and its policy is to wait, the process waits in its
own writes once 2 MiB are held; choose ``spool.when_full = "drop_newest"`` where it must not. What is in the pipe or in
memory when we are killed is not readable again.
"""

import os
import secrets
import subprocess
import sys
import threading
from typing import IO, BinaryIO

from agents.block import MAX_BLOCK_BYTES, Block, Position
from agents.intake import Intake
from agents.processors import Tally
from agents.processors.shaper import Shaper, ShaperFactory
from agents.sources import Origin

CUT_S = 0.25
READ_BYTES = 1 << 16
SHAPED_AS = ("detect", "auto", None)


class CommandSource:
    """A child process whose standard output and standard error are shipped."""

    def __init__(self, command: list[str], origin: Origin, intake: Intake, shapers: ShaperFactory) -> None:
        """
        Start *command*.

        Raises:
            OSError: There is no such program.
        """
        name = os.path.basename(command[0])  # noqa: PTH119 - a name, not a path
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.child.stdout is not None
        assert self.child.stderr is not None
        parts = (origin, intake)
        self._streams = [
            _Stream(f"{name}:stdout", self.child.stdout, sys.stdout.buffer, parts, shapers(*SHAPED_AS)),
            _Stream(f"{name}:stderr", self.child.stderr, sys.stderr.buffer, parts, shapers(*SHAPED_AS)),
        ]

    def start(self) -> None:
        """Begin to read."""
        for stream in self._streams:
            stream.start()

    def stop(self) -> None:
        """Read until the process has closed its output; it has ended, or its descendants are given a second."""
        for stream in self._streams:
            stream.stop()

    def lag_bytes(self) -> int:
        """Give the bytes that were read and are not in a block yet."""
        return sum(stream.held_bytes() for stream in self._streams)


class _Stream:
    """One of the two pipes: a reader and a cutter."""

    def __init__(
        self, name: str, pipe: IO[bytes], through: BinaryIO, parts: tuple[Origin, Intake], shaper: Shaper
    ) -> None:
        self._name = name
        self._pipe = pipe
        self._through = through
        self._origin, self._intake = parts
        self._shape = shaper
        self._generation = secrets.token_hex(6)
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._held = bytearray()
        self._offset = 0
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, name=f"read {name}", daemon=True)
        self._cutter = threading.Thread(target=self._cut, name=f"cut {name}", daemon=True)

    def start(self) -> None:
        self._reader.start()
        self._cutter.start()

    def stop(self) -> None:
        self._reader.join(1.0)
        self._ended.set()
        self._cutter.join()

    def held_bytes(self) -> int:
        with self._lock:
            return len(self._held)

    def _read(self) -> None:
        while data := os.read(self._pipe.fileno(), READ_BYTES):
            self._through.write(data)
            self._through.flush()
            with self._room:
                self._room.wait_for(lambda: len(self._held) < 2 * MAX_BLOCK_BYTES or self._ended.is_set())
                self._held += data
        self._ended.set()

    def _cut(self) -> None:
        while not self._ended.wait(CUT_S if self.held_bytes() < MAX_BLOCK_BYTES else 0):
            self._hand_over(finishing=False)
        while self._hand_over(finishing=True):
            continue

    def _hand_over(self, *, finishing: bool) -> bool:
        """Ship the whole lines that are there, at most one block; the rest too when *finishing*."""
        with self._room:
            body = bytes(self._held[:MAX_BLOCK_BYTES])
            whole = body.rfind(b"\n") + 1
            if not whole and (finishing or len(body) == MAX_BLOCK_BYTES):
                whole = len(body)
        if not whole or not self._ship(body[:whole]):
            return False
        with self._room:
            del self._held[:whole]
            self._room.notify_all()
        return True

    def _ship(self, lines: bytes) -> bool:
        position = Position(self._generation, self._offset, self._offset + len(lines))
        tally = Tally()
        block = Block(
            stream=self._origin.stream("logs", f"command:{self._name}"),
            path="/v1/lines",
            key=self._origin.key(position),
            position=position,
            body=self._shape(lines, tally),
            headers=self._origin.headers("command", self._name, position),
            shed=tally.shed,
        )
        if not self._intake.offer(block):
            return False
        self._intake.commit()
        self._offset += len(lines)
        return True
