"""
``fuseboard-agent run -- CMD``: ships the lines of a process (``agents.child``) and passes its output through unchanged.

Per stream one thread reads the pipe, keeps what it read and writes it on at once; another cuts blocks each 0.25 s or 1 MiB.
A last line without its end waits 5 s for it, a traceback at the end 1 s. Lines beyond 1 MiB are cut as in files.

What the process waits for: our standard output, as it would without us (when that is closed it is passed through no more, and
shipped on); and, once 2 MiB are held because the spool is full and its policy is to wait, room. Under ``spool.when_full``
*drop_oldest* and *drop_newest* it never waits for room: what does not fit is left out at lines' ends and counted
(*buffer_full*), also when the disk refuses.

What is in the pipe or in memory when we are killed is not readable again. Processes that the command leaves behind with its
output are listened to for another second.
"""

import contextlib
import fcntl
import os
import secrets
import select
import threading
import time
from collections.abc import Callable
from pathlib import PurePath

from agents.block import MAX_BLOCK_BYTES, Block, Position
from agents.child import Child
from agents.intake import Intake
from agents.own_log import log
from agents.processors import Tally
from agents.processors.shaper import Shaper, ShaperFactory
from agents.sources import Origin
from agents.sources.long_lines import REASON, cut_long, shortened

CUT_S = 0.25
GROWING_S = 1.0  # a traceback at the end is given this long to be written whole
PARTIAL_S = 5.0  # a line without its end is given this long, and so is a record that seems never to end
LEFT_BEHIND_S = 1.0  # descendants that outlive the command
READ_BYTES = 1 << 18
PIPE_BYTES = 1 << 18  # four times the default: fewer turns between the process and us
BLOCKS_PER_SYNC = 8
FILLS_S = 0.01
HELD_BYTES = 2 * MAX_BLOCK_BYTES
SHAPED_AS = ("detect", "auto", None)


class CommandSource:
    """
    A child's standard output and standard error.

    Args:
        child: Running; its pipes become ours.
        name: Of the program, as the ledger shows it.
        origin: Who ships.
        intake: Where blocks go.
        shapers: Makes each stream's processors.
        may_wait: Whether the child may be made to wait when the spool is full.
    """

    def __init__(
        self,
        child: Child,
        name: str,
        origin: Origin,
        intake: Intake,
        shapers: ShaperFactory,
        *,
        may_wait: bool,
    ) -> None:
        program = PurePath(name).name
        self._streams = [
            _Stream(
                f"{program}:{stream}",
                (pipe, through),
                origin,
                intake,
                shapers(*SHAPED_AS),
                may_wait=may_wait,
            )
            for stream, pipe, through in (("stdout", child.stdout, 1), ("stderr", child.stderr, 2))
        ]

    def start(self) -> None:
        """Begin to read."""
        for stream in self._streams:
            stream.start()

    def finish(self, timeout_s: float) -> None:
        """Read to the end, the child having ended, and ship that, waiting for room at most *timeout_s*."""
        until = time.monotonic() + LEFT_BEHIND_S
        for stream in self._streams:
            stream.end(until)
        until = time.monotonic() + timeout_s
        for stream in self._streams:
            stream.join(until)

    def stop(self) -> None:
        """Hand over what is there; what there is no room for now is lost, and said to be."""
        self.finish(0.0)
        for stream in self._streams:
            stream.close()

    def lag_bytes(self) -> int:
        """Give the bytes that were read and are not in a block yet."""
        return sum(stream.held_bytes() for stream in self._streams)


class _Stream:
    """One of the two pipes: a reader, a cutter, and between them what is held, behind one lock."""

    def __init__(
        self,
        name: str,
        ends: tuple[int, int],
        origin: Origin,
        intake: Intake,
        shaper: Shaper,
        *,
        may_wait: bool,
    ) -> None:
        self._name = name
        self._pipe, self._through = ends
        self._origin = origin
        self._intake = intake
        self._shape = shaper
        self._may_wait = may_wait
        self._generation = secrets.token_hex(6)
        self._offset = 0
        self._changed = threading.Condition()
        self._held = bytearray()
        self._came_at = self._cut_at = time.monotonic()
        self._left_out = Tally()
        self._left_out_bytes = 0
        self._skipping: str | None = None  # why what comes up to the next line's end is left out
        self._cutting = 0  # bytes of what is held that are being shipped
        self._passing = False
        self._ended = False
        self._reader = threading.Thread(target=self._read, name=f"read {name}", daemon=True)
        self._cutter = threading.Thread(target=self._cut, name=f"cut {name}", daemon=True)

    def start(self) -> None:
        self._reader.start()
        self._cutter.start()

    def end(self, until: float) -> None:
        """Wait for the pipe's end until then, and take no more than what is in it."""
        if not self._ended:
            self._reader.join(max(0.0, until - time.monotonic()))
        with self._changed:
            if not self._ended and self._passing:
                self._take_rest()
            self._ended = True
            self._changed.notify_all()

    def join(self, until: float) -> None:
        self._cutter.join(max(0.0, until - time.monotonic()))

    def close(self) -> None:
        """Say what could not be handed over; our stopping has ended every wait for room."""
        self._cutter.join()
        if self._held:
            log("error", "command_output_lost", source=self._name, bytes=len(self._held))

    def held_bytes(self) -> int:
        with self._changed:
            return len(self._held)

    def _read(self) -> None:
        pass_through = _passing_through(self._through, self._name)
        with contextlib.suppress(OSError):  # an unprivileged user has a quota of pipes this large
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        while not self._ended and (data := os.read(self._pipe, READ_BYTES)):
            with self._changed:
                if self._ended:
                    return
                self._passing = True
                before = len(self._held)
                self._take(data)
                if not before or len(self._held) > MAX_BLOCK_BYTES >= before:  # what the cutter waits for
                    self._changed.notify_all()
            pass_through(data)
            with self._changed:
                self._passing = False
                self._changed.wait_for(self._has_room)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _take_rest(self) -> None:
        """Take what the pipe holds in the reader's place, which waits for a standard output that nobody reads."""
        os.set_blocking(self._pipe, False)
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._pipe, READ_BYTES):
                self._take(data)

    def _has_room(self) -> bool:
        return len(self._held) < HELD_BYTES or not self._may_wait or self._ended

    def _take(self, data: bytes) -> None:
        """Hold *data*, but for what is to be left out: the rest of a line that was cut, and what does not fit."""
        self._came_at = time.monotonic()
        if self._skipping is not None:
            rest = data.find(b"\n") + 1 or len(data)
            self._leave_out(self._skipping, data[:rest], lines=int(self._skipping != REASON))
            if data[rest - 1] == 10:
                self._skipping = None
            data = data[rest:]
        if data and not self._may_wait and len(self._held) >= HELD_BYTES:
            whole = max(self._held.rfind(b"\n") + 1, self._cutting)
            self._leave_out("buffer_full", bytes(self._held[whole:]) + data)
            del self._held[whole:]
            self._skipping = None if data.endswith(b"\n") else "buffer_full"
            return
        if not self._held:
            self._cut_at = self._came_at
        self._held += data

    def _leave_out(self, reason: str, data: bytes, *, lines: int = 1) -> None:
        self._left_out.count(reason, data.count(b"\n") * lines, len(data))
        self._left_out_bytes += len(data)

    def _cut(self) -> None:
        while self._waits_for_more():
            self._hand_over_some(finishing=False)
        while self._hand_over_some(finishing=True):
            continue

    def _hand_over_some(self, *, finishing: bool) -> bool:
        """Ship what is there, several blocks under one fsync; False when there was nothing."""
        blocks = 0
        while blocks < BLOCKS_PER_SYNC and self._hand_over(finishing=finishing):
            blocks += 1
            if not finishing and not self._fills():
                break
        if blocks:
            self._intake.commit()
        return blocks > 0

    def _waits_for_more(self) -> bool:
        """Wait until there is something, then a little for more of it; False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._held or self._ended)
            self._changed.wait_for(lambda: len(self._held) > MAX_BLOCK_BYTES or self._ended, CUT_S)
            return not self._ended

    def _fills(self) -> bool:
        """Say whether another block is there, or comes sooner than an fsync would be done."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._held) > MAX_BLOCK_BYTES or self._ended, FILLS_S)

    def _hand_over(self, *, finishing: bool) -> bool:
        """Ship the next block; False when nothing is to be shipped now, or our stopping came first."""
        with self._changed:
            with memoryview(self._held) as view:
                held = bytes(view[: MAX_BLOCK_BYTES + 1])
            full = len(held) > MAX_BLOCK_BYTES
            now = time.monotonic()
            old = finishing or now - self._came_at >= PARTIAL_S
            tally, left_out = self._left_out, self._left_out_bytes
            whole = held.rfind(b"\n") + 1
            if not whole and (full or old):
                whole = len(held)
            elif whole and not finishing:
                whole = self._settled(held[:whole], now, full=full)
            if not whole and not (finishing and left_out):
                return False
            self._left_out, self._left_out_bytes = Tally(), 0
            self._cutting = whole
        lines = held[:whole]
        too_long = full and b"\n" not in lines
        body = (
            shortened(lines, MAX_BLOCK_BYTES, tally) if too_long else cut_long(lines, MAX_BLOCK_BYTES, tally)
        )
        if not self._ship(self._shape(body, tally), tally, whole + left_out):
            return False
        with self._changed:
            del self._held[:whole]
            self._cutting = 0
            self._cut_at = now
            if too_long:
                self._skip_rest()
            self._changed.notify_all()
        return True

    def _settled(self, lines: bytes, now: float, *, full: bool) -> int:
        """Leave a record at the end that may still grow, for a while."""
        settled = self._shape.settled_bytes(lines)
        waited = now - self._came_at >= GROWING_S or now - self._cut_at >= PARTIAL_S
        return len(lines) if waited or (full and not settled) else settled

    def _skip_rest(self) -> None:
        """Leave out what is there of the line that was cut, and what will come of it."""
        rest = self._held.find(b"\n") + 1
        if not rest:
            self._skipping, rest = REASON, len(self._held)
        self._leave_out(REASON, bytes(self._held[:rest]), lines=0)
        del self._held[:rest]

    def _ship(self, body: bytes, tally: Tally, size: int) -> bool:
        position = Position(self._generation, self._offset, self._offset + size)
        block = Block(
            stream=self._origin.stream("logs", f"command:{self._name}"),
            path="/v1/lines",
            key=self._origin.key(position),
            position=position,
            body=body,
            headers=self._origin.headers("command", self._name, position),
            shed=tally.shed,
        )
        if not self._intake.offer(block):
            return False
        self._offset += size
        return True


def _passing_through(descriptor: int, name: str) -> Callable[[bytes], None]:
    """Make a writer to *descriptor* that gives up for good when nobody reads it any more."""
    closed = False

    def write(data: bytes) -> None:
        nonlocal closed
        rest = memoryview(data)
        while rest and not closed:
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:  # somebody who shares it has made it non-blocking
                writable = select.poll()  # select() knows no descriptor beyond 1023
                writable.register(descriptor, select.POLLOUT)
                writable.poll()
            except OSError as error:
                closed = True
                log("warning", "passing_through_ended", source=name, reason=str(error))

    return write
