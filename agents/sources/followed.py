"""
What is cut next from a file that is followed: whole lines now, and what waits for how long.

The last line waits for its end, and ships without it once nothing was written for ``partial_age_s``. Lines that may
still be continued (``Shaper.settled_bytes``: a traceback, a container's pieces) wait a second. What waits is in the file; a
little of it is also kept in memory, should the file be truncated meanwhile (``Tail.held``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from agents.own_log import log
from agents.processors import Tally
from agents.processors.shaper import Shaper
from agents.settings_values import FilesSettings
from agents.sources import Origin
from agents.sources.identity import is_packed
from agents.sources.long_lines import REASON, cut_long, shortened
from agents.sources.tail import Chunk, Tail

if TYPE_CHECKING:
    from agents.sources.copies import Ended

GROWING_S = 1.0  # a traceback at the end of a file is given this long to be written whole
HELD_BYTES = 1 << 14
ACTIVE_S = 10.0


@dataclass(frozen=True, slots=True)
class Watch:
    """
    Which files to follow, and for whom.

    ``origin_of`` takes the path under which a file is first seen and is asked once per file; its blocks carry the answer.
    ``wanted`` is asked of each path at each scan, for what patterns cannot tell.
    """

    settings: FilesSettings
    origin_of: Callable[[str], Origin]
    wanted: Callable[[str], bool] = lambda _path: True


def watches(settings: Sequence[FilesSettings], origin: Origin) -> list[Watch]:
    """Make a watch of each ``[[files]]``: the agent's origin, under the table's own attributes where it has some."""
    return [Watch(one, partial(_constant, origin.with_resource(one.resource))) for one in settings]


def _constant(origin: Origin, _path: str) -> Origin:
    return origin


class Piece(NamedTuple):
    """
    What is handed over as one block.

    Attributes:
        taken: The file's bytes.
        body: The same as UTF-8; empty when all of it is left out, as *tally* says.
        more: There is more to be taken at once.
        cut: *taken* ends inside a line whose rest is to be left out.
    """

    taken: bytes
    body: bytes
    tally: Tally
    more: bool
    cut: bool = False


@dataclass(slots=True, eq=False)
class Followed:
    """
    A file with what is known of how to ship it.

    Attributes:
        copy_of: What it may be a copy of, itself when that was not looked for yet; while this is not decided nothing is read.
        equal_bytes: How long it was when it was last seen to be equal to what it may be a copy of.
        due: When something that waits must be shipped; None when nothing waits.
        next_look: When it is to be looked at again.
        active_at: When it was last found changed.
    """

    tail: Tail
    watch: Watch
    origin: Origin
    shaper: Shaper
    copy_of: "Followed | Ended | None" = None
    equal_bytes: int = -1
    due: float | None = None
    next_look: float = 0.0
    active_at: float = 0.0
    _partial: tuple[str, int, float] = ("", -1, 0.0)
    _growing: tuple[str, int, float] = ("", -1, 0.0)

    def is_due(self, now: float) -> bool:
        """Say whether it is time to look at it."""
        return self.next_look <= now or (self.due is not None and self.due <= now)

    def is_active(self, now: float) -> None:
        """Note that it has changed: it is looked at in every pass for a while."""
        self.active_at, self.next_look = now, 0.0

    def rest(self, now: float, idle_s: float) -> None:
        """Note that it has not changed; after ten seconds of that it is looked at each *idle_s* only."""
        self.next_look = now + idle_s if now - self.active_at >= ACTIVE_S else 0.0

    def next_piece(self, now: float, *, flush: bool = False, finishing: bool = False) -> Piece | None:
        """
        Cut the next block; the tail does not move.

        Args:
            now: Monotonic seconds.
            flush: Do not wait for lines that may be continued.
            finishing: Nor for the end of the last line.

        Raises:
            Rewritten: The file does not hold what was read from it.
        """
        self.due = None
        limit = self.watch.settings.max_line_bytes
        chunk = self.tail.read(limit)
        if chunk is not None and self.tail.offset == 0 and chunk.raw.startswith(b"\0"):
            chunk = self._behind_hole(chunk, limit)
        if chunk is None or self._is_packed(chunk):
            return None
        if self.tail.cut:
            return self._rest_of_long_line(chunk)
        if chunk.too_long:
            return self._long_line(chunk, limit)
        if chunk.whole == chunk.start:
            return self._last_line(chunk, now, limit, finishing=finishing)
        return self._lines(chunk, now, limit, flush=flush or finishing)

    def _behind_hole(self, chunk: Chunk, limit: int) -> Chunk | None:
        skipped = self.tail.skip_hole()
        if skipped > 0:
            log("info", "file_hole_skipped", path=self.tail.path, size=skipped)
            return self.tail.read(limit)
        return chunk if skipped == 0 else None

    def _lines(self, chunk: Chunk, now: float, limit: int, *, flush: bool) -> Piece | None:
        taken = chunk.raw[chunk.start : chunk.whole]
        body = self._utf8(taken)
        settled = len(body) if flush else self.shaper.settled_bytes(body)
        if settled < len(body) and not (chunk.more and not settled):
            size = len(taken) - self.tail.encoding().size_of(body[settled:])
            if chunk.more or not self._has_grown(size, now):
                taken, body = taken[:size], body[:settled]
        self._await(chunk, chunk.start + len(taken), now)
        if not body and len(taken) == 0:
            return None
        tally = Tally()
        return Piece(taken, cut_long(body, limit, tally), tally, chunk.more)

    def _last_line(self, chunk: Chunk, now: float, limit: int, *, finishing: bool) -> Piece | None:
        taken = chunk.raw[chunk.start :]
        if not finishing and not self._is_old(chunk, now):
            self._await(chunk, chunk.start, now)
            return None
        self.tail.held = b""
        tally = Tally()
        return Piece(taken, cut_long(self._utf8(taken), limit, tally), tally, more=False)

    def _long_line(self, chunk: Chunk, limit: int) -> Piece:
        """Take the beginning of a line that is too long, with all that is there of it."""
        taken = chunk.raw[chunk.start :]
        tally = Tally()
        self.tail.held = b""
        return Piece(taken, shortened(self._utf8(taken), limit, tally), tally, chunk.more, cut=True)

    def _rest_of_long_line(self, chunk: Chunk) -> Piece:
        """Leave out what follows of a line that was too long, to its end if that is there."""
        end = self.tail.encoding().first_end(chunk.raw, chunk.start)
        ended = end > chunk.start
        taken = chunk.raw[chunk.start : end] if ended else chunk.raw[chunk.start :]
        tally = Tally()
        tally.count(REASON, 0, len(self._utf8(taken)) - ended)  # the line's end has been shipped
        self.tail.held = b""
        return Piece(taken, b"", tally, ended or chunk.more, cut=not ended)

    def _await(self, chunk: Chunk, taken_to: int, now: float) -> None:
        """Remember what is left to wait, and until when."""
        self.tail.held = b""
        if chunk.more:
            return
        self.tail.held = chunk.raw[taken_to : taken_to + HELD_BYTES]
        if len(chunk.raw) > chunk.whole:
            self._is_old(chunk, now)
            self._due_at(self._partial[2] + self.watch.settings.partial_age_s)
        if taken_to < chunk.whole:
            self._due_at(self._growing[2] + GROWING_S)

    def _due_at(self, at: float) -> None:
        self.due = at if self.due is None else min(self.due, at)

    def _is_old(self, chunk: Chunk, now: float) -> bool:
        """Say whether the file has ended where it ends, without a line's end, for long enough."""
        end = self.tail.offset + len(chunk.raw) - chunk.start
        if self._partial[:2] != (self.tail.generation, end):
            self._partial = (self.tail.generation, end, now)
        return now - self._partial[2] >= self.watch.settings.partial_age_s

    def _has_grown(self, settled: int, now: float) -> bool:
        """Say whether the lines behind *settled* bytes had their time to be continued."""
        begin = self.tail.offset + settled
        if self._growing[:2] != (self.tail.generation, begin):
            self._growing = (self.tail.generation, begin, now)
        return now - self._growing[2] >= GROWING_S

    def _is_packed(self, chunk: Chunk) -> bool:
        if self.tail.offset == 0 and is_packed(chunk.raw[:16]):
            self.tail.packed = True
            log("info", "file_packed", path=self.tail.path)
        return self.tail.packed

    def _utf8(self, taken: bytes) -> bytes:
        return self.tail.encoding().to_utf8(taken, at_start=self.tail.offset == 0)
