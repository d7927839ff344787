"""
The agent's books: what was read, what became of it, where each source stands.

Every change is caused by a durable frame (``committed``) or by a collector's answer about one (``settle``). So after a
kill the books are: the last checkpoint, plus the frames it has not counted, replayed. A block shipped but not yet
checkpointed as shipped is sent again under the same key, and the collector answers that it has it.

A rejected block that a person sends again (``quarantine``) stays rejected here: it had left these books, and what becomes of it
is the collector's to tell, which finds it under its first sequence.
"""

import copy
import secrets
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from agents.block import FileMark, Stream
from agents.checkpoint import Checkpoint, CheckpointFile, Counters, FilePlace, Settled
from agents.frame import FrameHead

SENT_AHEAD = (
    64  # blocks that may be sent before the next save; a restart takes no more than these for perhaps sent
)


class Ledger:
    """
    Counters and positions in memory with their durable image in *path*; every method may be called by any thread.

    Attributes:
        agent: The agent's identity: random, made once, kept in the checkpoint.
        is_new: There was no checkpoint, so ``agent`` is durable only after the first ``save``; keys made from it must not be before.
    """

    def __init__(self, path: Path) -> None:
        self._file = CheckpointFile(path)
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        known = self._file.load()
        self.is_new = known is None
        self._books = known or self._file.anew(secrets.token_hex(8))
        self._above = set(self._books.settled_above)
        self._dirty = True
        self._sent_through = self._books.sent_through
        self.agent = self._books.agent

    def committed(self, head: FrameHead) -> None:
        """
        Count a frame that is now durable; frames counted before are passed over, so replaying is harmless.

        A head of sequence 0 has no frame: a block shed whole for which the spool had no room. It counts with the next ``save``.
        """
        with self._lock:
            if 0 < head.sequence <= self._books.counted_through:
                return
            self._dirty = True
            self._books.counted_through = max(self._books.counted_through, head.sequence)
            counters = self._counters(head)
            counters.read_blocks += 1
            counters.read_bytes += head.raw_bytes
            self._advance(head)
            for reason, (lines, size) in head.shed.items():
                counters.read_bytes += size
                _add(counters, reason, 0, size, lines)
            if head.dropped is not None:
                self._drop(head, head.dropped)

    def shipped(self, head: FrameHead, *, duplicate: bool) -> None:
        """Settle a block that a collector has acknowledged, *duplicate* when it had it already."""

        def count(counters: Counters) -> None:
            counters.shipped_blocks += 1
            counters.shipped_bytes += head.raw_bytes
            counters.duplicate_blocks += duplicate

        self._settle(head, count)

    def rejected(self, head: FrameHead) -> None:
        """Settle a block that a collector will never take."""

        def count(counters: Counters) -> None:
            counters.rejected_blocks += 1
            counters.rejected_bytes += head.raw_bytes

        self._settle(head, count)

    def dropped(self, head: FrameHead, reason: str) -> None:
        """Settle a block that was shed on purpose."""
        with self._lock:
            self._dirty = True
            self._drop(head, reason)

    def is_settled(self, sequence: int) -> bool:
        """Say whether the block of *sequence* needs nothing any more."""
        with self._lock:
            return sequence <= self._books.settled_through or sequence in self._above

    def next_sequence(self) -> int:
        """Give the first spool sequence that no checkpoint knows."""
        with self._lock:
            return self._books.counted_through + 1

    def counted_through(self) -> int:
        """Give the last spool sequence that is counted as read."""
        with self._lock:
            return self._books.counted_through

    def settled_through(self) -> int:
        """Give the sequence up to which everything is settled."""
        with self._lock:
            return self._books.settled_through

    def corrupt(self, stream: Stream, blocks: int, size: int, lines: int) -> None:
        """Count blocks that were counted as read and that the disk has not kept; ``pass_over`` settles them."""
        with self._lock:
            self._dirty = True
            _add(self._books.counters.setdefault(stream, Counters()), "corrupt", blocks, size, lines)

    def never_counted(self, stream: Stream, reason: str, blocks: int, size: int, lines: int = 0) -> None:
        """Count blocks as read and dropped of which no frame tells: of them only the hole in their source is left."""
        with self._lock:
            self._dirty = True
            counters = self._books.counters.setdefault(stream, Counters())
            counters.read_blocks += blocks
            counters.read_bytes += size
            _add(counters, reason, blocks, size, lines)

    def pass_over(self, first: int, below: int) -> None:
        """Settle sequences [first, below): the spool does not hold them, or must not be asked for them."""
        with self._lock:
            for sequence in range(max(first, self._books.settled_through + 1), below):
                self._dirty = True
                self._mark_settled(sequence)
            self._books.counted_through = max(self._books.counted_through, below - 1)

    def expected(self, head: FrameHead) -> int:
        """Give the position at which the next block of *head*'s source begins if nothing is missing."""
        with self._lock:
            if head.position.file is None:
                return self._books.sequences.get(head.stream.source, 0)
            place = self._books.files.get(head.position.generation)
            return place.offset if place else 0

    def sent_through(self) -> int:
        """Give the sequence above which no block was sent before this process began."""
        with self._lock:
            return self._sent_through

    def begin_sending(self, sequence: int) -> None:
        """
        Note durably that the block of *sequence* may be sent: one save for many blocks.

        Raises:
            OSError: The disk refuses; noted in memory only.
        """
        with self._lock:
            if sequence <= self._books.sent_through:
                return
            self._dirty = True
            self._books.sent_through = sequence + SENT_AHEAD
        self.save()

    def place_file(self, generation: str, mark: FileMark, offset: int) -> None:
        """Note where a file stands, without a block: found, begun at its end, or recognised under another name."""
        with self._lock:
            self._dirty = True
            self._books.files[generation] = FilePlace(mark, offset)

    def forget_file(self, generation: str) -> None:
        """Let go of an incarnation that is finished."""
        with self._lock:
            self._dirty = True
            self._books.files.pop(generation, None)

    def files(self) -> dict[str, FilePlace]:
        """Give a copy of the files' places by generation."""
        with self._lock:
            return dict(self._books.files)

    def sequence_of(self, source: str) -> int:
        """Give the next sequence number of a source that counts."""
        with self._lock:
            return self._books.sequences.get(source, 0)

    def first_look(self, pattern: str) -> bool:
        """Say whether *pattern* has never been looked at before, and note that it now has."""
        with self._lock:
            if pattern in self._books.patterns:
                return False
            self._dirty = True
            self._books.patterns.append(pattern)
            return True

    def route(self) -> tuple[str | None, dict[int, str]]:
        """Give the collector that blocks may have been sent to, and the exceptions by sequence."""
        with self._lock:
            return self._books.collector, dict(self._books.pins)

    def set_route(self, collector: str, pins: dict[int, str]) -> None:
        """Note where blocks go from now on; durable after the next ``save``."""
        with self._lock:
            self._dirty = True
            self._books.collector = collector
            self._books.pins = dict(pins)

    def perhaps_sent(self) -> list[int]:
        """Give the unsettled sequences that a former process may have sent."""
        with self._lock:
            end = min(self._sent_through, self._books.counted_through)
            return [it for it in range(self._books.settled_through + 1, end + 1) if it not in self._above]

    def begin_report(self) -> int:
        """Give the next report's number."""
        with self._lock:
            self._dirty = True
            self._books.reports += 1
            return self._books.reports

    def save(self, *, anew: bool = False) -> Checkpoint:
        """
        Make the books durable, if they have changed or *anew*.

        Returns:
            A copy of what is durable now.

        Raises:
            OSError: The disk refuses; the change stays to be saved.
        """
        with self._saving:
            with self._lock:
                dirty, self._dirty = self._dirty or anew, False
                self._books.settled_above = sorted(self._above)
                image = copy.deepcopy(self._books)
            if dirty:
                try:
                    self._file.save(image)
                except OSError:
                    with self._lock:
                        self._dirty = True
                    raise
            return image

    def settled(self) -> Sequence[Settled]:
        """Say what each of the two checkpoints knows as settled: a block that both know need not be kept."""
        with self._saving:
            return self._file.settled

    def counters(self) -> Checkpoint:
        """Give a copy of the books as they are, durable or not."""
        with self._lock:
            return copy.deepcopy(self._books)

    def is_dirty(self) -> bool:
        """Say whether there is something to save."""
        with self._lock:
            return self._dirty

    def _counters(self, head: FrameHead) -> Counters:
        return self._books.counters.setdefault(head.stream, Counters())

    def _advance(self, head: FrameHead) -> None:
        position = head.position
        if position.file is None:
            self._books.sequences[head.stream.source] = position.end
            return
        place = self._books.files.get(position.generation)
        if place is None or place.offset < position.end:
            self._books.files[position.generation] = FilePlace(position.file, position.end)

    def _settle(self, head: FrameHead, count: Callable[[Counters], None]) -> None:
        with self._lock:
            self._dirty = True
            count(self._counters(head))
            self._mark_settled(head.sequence)

    def _drop(self, head: FrameHead, reason: str) -> None:
        _add(self._counters(head), reason, 1, head.raw_bytes, head.lines)
        self._mark_settled(head.sequence)

    def _mark_settled(self, sequence: int) -> None:
        """Keep one number and a few exceptions rather than a list of everything."""
        if sequence > self._books.settled_through:
            self._above.add(sequence)
        while self._books.settled_through + 1 in self._above:
            self._books.settled_through += 1
            self._above.discard(self._books.settled_through)
        self._books.pins.pop(sequence, None)


def _add(counters: Counters, reason: str, blocks: int, size: int, lines: int) -> None:
    amounts = counters.dropped.setdefault(reason, [0, 0, 0])
    for place, amount in enumerate((blocks, size, lines)):
        amounts[place] += amount
