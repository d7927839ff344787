"""
Follows files: finds them, reads whole lines in turn, notices rotation and truncation.

One thread polls each 0.25 s, so a line leaves within that time. A pass gives each file at most
``BLOCKS_PER_TURN`` blocks (fairness), then makes them durable with one fsync; offsets are committed by the ledger when
that returns. inotify is not used: it misses network and overlay file systems (dependencies.md).
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agents.block import MAX_BLOCK_BYTES, Block, Position
from agents.intake import Intake
from agents.ledger import Ledger
from agents.own_log import log
from agents.processors import Tally
from agents.processors.shaper import Shaper, ShaperFactory
from agents.settings_values import FilesSettings
from agents.sources import Origin
from agents.sources.discovery import matching, renamed
from agents.sources.tail import Piece, Tail

POLL_S = 0.25  # the delay that a line may wait; a stat per file and poll is what it costs
SCAN_S = 1.0  # new files are found within a second
GONE_S = 5.0  # a renamed or deleted file may still be written to by a process that holds it open
LAST_PASSES_S = 1.0  # what a service wrote before we were told to stop; a backlog waits for the next start
GROWING_S = 1.0  # a traceback at the end of a file is given this long to be written whole
BLOCKS_PER_TURN = 8  # one fsync for up to 8 MiB: enough to hide it, few enough to be fair


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


class FilesSource:
    """All files of all watches; ``tails`` is touched by its thread only."""

    def __init__(
        self, watches: Sequence[Watch], intake: Intake, ledger: Ledger, shapers: ShaperFactory
    ) -> None:
        self._watches = tuple(watches)
        self._intake = intake
        self._ledger = ledger
        self._make_shaper = shapers
        self._shapers: dict[tuple[int, int], Shaper] = {}
        self._stopping = threading.Event()
        self._tails: dict[tuple[int, int], tuple[Tail, Watch]] = {}
        self._origins: dict[tuple[int, int], Origin] = {}
        self._unreadable: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="files", daemon=True)

    def start(self) -> None:
        """Find the files and begin to follow them."""
        self._scan(time.monotonic())
        self._resume_renamed()
        self._ledger.save()
        self._thread.start()

    def stop(self) -> None:
        """Read what is there, then end."""
        self._stopping.set()
        self._thread.join()

    def lag_bytes(self) -> int:
        """Give the bytes written and not handed over, over all files."""
        return sum(tail.lag_bytes() for tail, _ in list(self._tails.values()))

    def _run(self) -> None:
        next_scan = 0.0
        while not self._stopping.is_set():
            now = time.monotonic()
            if now >= next_scan:
                next_scan = now + SCAN_S
                self._scan(now)
            if not self._pass():
                self._stopping.wait(POLL_S)
        last = time.monotonic() + LAST_PASSES_S
        while self._pass() and time.monotonic() < last:
            continue
        for tail, _ in self._tails.values():
            tail.close()

    def _scan(self, now: float) -> None:
        """Take up new files, follow renames, finish what has gone."""
        seen: set[tuple[int, int]] = set()
        for watch in self._watches:
            for pattern in watch.settings.paths:
                first = self._ledger.first_look(pattern)
                at_end = first and watch.settings.start_at == "end"
                for path in filter(watch.wanted, matching(watch.settings, pattern)):
                    seen.add(self._see(path, watch, at_end=at_end))
        for identity, (tail, watch) in list(self._tails.items()):
            if identity in seen:
                tail.gone_since = None
            elif tail.gone_since is None:
                tail.gone_since = now
            elif now - tail.gone_since >= GONE_S:
                self._finish(identity, tail, watch)

    def _see(self, path: str, watch: Watch, *, at_end: bool) -> tuple[int, int]:
        """Note that *path* is there, opening it when it is not followed yet."""
        try:
            state = Path(path).stat()
            identity = (state.st_dev, state.st_ino)
            if identity not in self._tails:
                self._take_up(path, identity, watch, at_end=at_end)
        except OSError as error:
            if path not in self._unreadable:
                self._unreadable.add(path)
                log("warning", "file_unreadable", path=path, reason=str(error))
            return (0, 0)
        return identity

    def _take_up(self, path: str, identity: tuple[int, int], watch: Watch, *, at_end: bool) -> None:
        known = {
            generation: place
            for generation, place in self._ledger.files().items()
            if (place.mark.device, place.mark.inode) == identity
        }
        tail = Tail(path, known)
        if at_end and not known:
            tail.skip_to_end()
        for generation in known.keys() - {tail.generation}:
            self._ledger.forget_file(generation)
        self._origins[identity] = watch.origin_of(tail.path)
        self._tails[identity] = (tail, watch)
        self._ledger.place_file(tail.generation, tail.mark(), tail.offset)
        log("info", "file_followed", path=path, offset=tail.offset, resumed=tail.generation in known)

    def _resume_renamed(self) -> None:
        """Go on with files that left the patterns while the agent was not running, as long as they can be found."""
        for generation, place in self._ledger.files().items():
            mark = place.mark
            if (mark.device, mark.inode) in self._tails:
                continue
            path = renamed(mark.path, mark.device, mark.inode)
            watch = next(iter(self._watches), None)
            if path is None or watch is None:
                self._ledger.forget_file(generation)
                continue
            self._see(path, watch, at_end=False)

    def _finish(self, identity: tuple[int, int], tail: Tail, watch: Watch) -> None:
        """Ship the rest of a file that has gone, its partial last line included."""
        while (piece := tail.read(finishing=True)) is not None:
            if not self._offer(tail, watch, piece):
                return
        self._intake.commit()
        tail.close()
        del self._tails[identity], self._origins[identity]
        self._shapers.pop(identity, None)
        self._ledger.forget_file(tail.generation)
        log("info", "file_finished", path=tail.path, offset=tail.offset)

    def _pass(self) -> bool:
        """Give each file its turn; True when some file has more."""
        busy = False
        offered = False
        for tail, watch in list(self._tails.values()):
            try:
                taken, more = self._turn(tail, watch)
            except OSError as error:  # a network file system that lost the file; the next scan opens it again
                log("warning", "file_unreadable", path=tail.path, reason=str(error))
                self._tails.pop((tail.device, tail.inode))
                tail.close()
                continue
            offered = offered or taken
            busy = busy or more
        if offered:
            self._intake.commit()
        return busy

    def _turn(self, tail: Tail, watch: Watch) -> tuple[bool, bool]:
        """Hand over a file's next blocks; (something was taken, there is more)."""
        taken = False
        self._notice_truncation(tail)
        for _ in range(BLOCKS_PER_TURN):
            piece = self._settled(tail, watch, tail.read())
            if piece is None or not self._offer(tail, watch, piece):
                return taken, False
            taken = True
            if len(piece.data) < MAX_BLOCK_BYTES // 2:
                return taken, False
        return taken, True

    def _settled(self, tail: Tail, watch: Watch, piece: Piece | None) -> Piece | None:
        """Leave out a traceback at the end that may still be written to, for a while."""
        if piece is None or len(piece.data) == MAX_BLOCK_BYTES:
            return piece
        length = self._shaper_of(tail, watch).settled_bytes(piece.data)
        if length == len(piece.data) or tail.has_waited(piece.end, GROWING_S):
            return piece
        return Piece(piece.data[:length], piece.start, piece.start + length) if length else None

    def _notice_truncation(self, tail: Tail) -> None:
        before = tail.generation
        if tail.check():
            self._ledger.forget_file(before)
            self._ledger.place_file(tail.generation, tail.mark(), 0)
            log("warning", "file_truncated", path=tail.path)

    def _shaper_of(self, tail: Tail, watch: Watch) -> Shaper:
        """Give the file's own shaper: a rate limit counts per file."""
        identity = (tail.device, tail.inode)
        settings = watch.settings
        if identity not in self._shapers:
            made = self._make_shaper(settings.format, settings.multiline, settings.multiline_start)
            self._shapers[identity] = made
        return self._shapers[identity]

    def _offer(self, tail: Tail, watch: Watch, piece: Piece) -> bool:
        position = Position(tail.generation, piece.start, piece.end, tail.mark())
        origin = self._origins[tail.device, tail.inode]
        headers = origin.headers("file", tail.path, position)
        if watch.settings.format != "detect":
            headers["Fuseboard-Format"] = watch.settings.format
        tally = Tally()
        body = self._shaper_of(tail, watch)(piece.data, tally)
        block = Block(
            stream=origin.stream("logs", f"file:{tail.path}"),
            path="/v1/lines",
            key=origin.key(position),
            position=position,
            body=body,
            headers=headers,
            shed=tally.shed,
        )
        if not self._intake.offer(block):
            return False
        tail.offset = piece.end
        return True
