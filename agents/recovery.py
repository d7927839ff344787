"""
What the books make of the frames that a former process left: pure bookkeeping, no file is touched.

Three cases, by what a frame (or a hole where one was) had been promised:

1. counted by the checkpoint: what the books hold as in flight and no whole frame holds is corrupt, exactly, by stream
2. above the checkpoint, at or below a frame's ``through``: it had been durable, so a damaged frame is counted as read and
   corrupt; one whose head is gone too is counted by the hole in its source: its bytes exactly, its lines not
3. above both: perhaps never acknowledged. A whole frame counts, unless it stands behind a hole of its own file: then its file is
   read again from the hole on, so that nothing of it is lost. A damaged one of a file is left to be read again, too; of
   another source it is counted as corrupt, since nobody can read a pipe or scrape the past twice
"""

from collections.abc import Sequence
from dataclasses import replace

from agents.block import Stream
from agents.frame import Found, FrameHead, Hurt
from agents.ledger import Ledger
from agents.own_log import log


def recover(ledger: Ledger, frames: Sequence[Found | Hurt]) -> bool:
    """
    Bring the books up to date with *frames*, all that the spool holds, in the order of their sequences.

    Returns:
        True when a whole frame was discarded: the books must be saved before anything is appended, or the next start
        would judge it again.
    """
    if (
        frames and ledger.counters().saves == 0
    ):  # without any checkpoint nobody knows what came before the first frame
        ledger.pass_over(1, frames[0].head.sequence)
    counted = ledger.counted_through()
    through = max([counted, *(frame.head.through for frame in frames)])
    _settle_counted(ledger, [frame for frame in frames if frame.head.sequence <= counted], counted)
    replay = _Replay(ledger, through)
    for frame in frames:
        if frame.head.sequence > counted:
            replay.take(frame.head, whole=isinstance(frame, Found))
    return replay.discarded


def _settle_counted(ledger: Ledger, frames: Sequence[Found | Hurt], counted: int) -> None:
    """Count as corrupt what is in flight by the checkpoint and not held by a whole frame."""
    in_flight = {stream: counters.spooled() for stream, counters in ledger.counters().counters.items()}
    for frame in frames:
        head = frame.head
        if ledger.is_settled(head.sequence):
            continue
        blocks, size = in_flight.get(head.stream, (0, 0))
        in_flight[head.stream] = (blocks - 1, size - head.raw_bytes)
        if isinstance(frame, Hurt):
            ledger.corrupt(head.stream, 1, head.raw_bytes, head.lines)
    for stream, (blocks, size) in in_flight.items():
        if blocks > 0:
            _say(stream, blocks, size)
            ledger.corrupt(stream, blocks, size, 0)
    held = {frame.head.sequence for frame in frames if isinstance(frame, Found)}
    for sequence in range(ledger.settled_through() + 1, counted + 1):
        if sequence not in held:
            ledger.pass_over(sequence, sequence + 1)


class _Replay:
    """The frames that no checkpoint has counted, one after the other."""

    def __init__(self, ledger: Ledger, through: int) -> None:
        self._ledger = ledger
        self._through = through
        self._unexplained = 0  # lost sequences whose source is not known yet
        self._torn = False  # something above ``through`` is missing, so a file may have a hole there
        self.discarded = False

    def take(self, head: FrameHead, *, whole: bool) -> None:
        """Judge the next frame."""
        self._miss(head.sequence)
        promised = head.sequence <= self._through
        hole = head.position.start - self._ledger.expected(head)
        if head.position.file and not promised and (not whole or (self._torn and hole > 0)):
            self._torn = True
            self.discarded = self.discarded or whole
            self._ledger.pass_over(head.sequence, head.sequence + 1)
            return
        if hole > 0 and self._unexplained:
            self._explain(head, hole)
        self._ledger.committed(head if whole else replace(head, dropped="corrupt"))
        if not whole:
            _say(head.stream, 1, head.raw_bytes)

    def _miss(self, sequence: int) -> None:
        """Pass over the sequences before *sequence* of which nothing is left."""
        first = self._ledger.next_sequence()
        if first < sequence:
            self._unexplained += sequence - first
            self._torn = self._torn or sequence - 1 > self._through
            self._ledger.pass_over(first, sequence)

    def _explain(self, head: FrameHead, hole: int) -> None:
        """Count the hole before *head* in its own source as what was lost."""
        measured = head.position.file is not None or head.stream.source.startswith("command:")
        blocks = self._unexplained if measured else min(hole, self._unexplained)
        self._unexplained -= blocks
        _say(head.stream, blocks, hole if measured else 0)
        self._ledger.never_counted(head.stream, "corrupt", blocks, hole if measured else 0)


def _say(stream: Stream, blocks: int, size: int) -> None:
    log("error", "blocks_corrupt", source=stream.source, blocks=blocks, bytes=size)
