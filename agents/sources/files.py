"""
Follows files: finds them, reads whole lines in turn, notices rotation and truncation.

``discovery``    finds them                          ``descriptors``  which are open
``tail``         one file: what is in it             ``identity``     whether a file is still the same
``followed``     what is cut from it next            ``encodings``    where its lines end, and their UTF-8
``long_lines``   lines beyond the limit              ``shipping``     blocks
``generations``  truncated, rewritten and finished files, and who goes on with them; ``copies`` of them

One thread polls each 0.25 s, so a line leaves within that time; beyond a thousand files those without news for ten seconds
take turns (4,000 are looked at in a second). A pass gives each file at most ``BLOCKS_PER_TURN`` blocks (fairness), then
makes them durable with one fsync; offsets are committed by the ledger when that returns. At most ``max_open_files``
are open; others are looked at by name and opened when they grow. inotify is not used: it misses network and overlay
file systems (dependencies.md).

What was never readable is not shipped: bytes written and cut off between two looks, or in a closed file that was deleted
before it was looked at. What was seen and then truncated away, a copy not holding it, is counted as dropped (*truncated*).
"""

import os
import threading
import time
from collections.abc import Iterator, Sequence

from agents.intake import Intake
from agents.ledger import Ledger
from agents.own_log import log
from agents.processors.shaper import ShaperFactory
from agents.sources.copies import Ended
from agents.sources.descriptors import Descriptors
from agents.sources.discovery import Finder, inodes, matches
from agents.sources.followed import Followed, Piece, Watch, watches
from agents.sources.generations import Generations
from agents.sources.identity import Inode
from agents.sources.shipping import Shipper
from agents.sources.tail import Rewritten, Tail

__all__ = ["FilesSource", "Watch", "watches"]

POLL_S = 0.25  # the delay that a line may wait; a stat per file and poll is what it costs
SCAN_S = 1.0  # new files are found within a second
GONE_S = 5.0  # a renamed or deleted file may still be written to by a process that holds it open
LAST_PASSES_S = 1.0  # what a service wrote before we were told to stop; a backlog waits for the next start
BLOCKS_PER_TURN = 8  # one fsync for up to 8 MiB: enough to hide it, few enough to be fair
IDLE_LOOKS_PER_S = 4000  # a look is a stat of 4 µs: 1.6 % of a core

Found = dict[Inode, tuple[str, Watch, bool]]
"""(path, watch, whether the pattern was looked at for the first time) by identity."""


class FilesSource:
    """All files of all watches. ``begin``, ``step`` and ``end`` are the thread's life; tests call them by hand."""

    def __init__(
        self,
        watches: Sequence[Watch],
        intake: Intake,
        ledger: Ledger,
        shapers: ShaperFactory,
        max_open_files: int = 512,
    ) -> None:
        self._watches = tuple(watches)
        self._ledger = ledger
        self._shapers = shapers
        self._shipper = Shipper(intake)
        self._descriptors = Descriptors(max_open_files)
        self._generations = Generations(ledger, self._shipper, self._descriptors)
        self._followed = self._generations.followed
        self._finder = Finder()
        self._unreadable: set[str] = set()
        self._next_scan = 0.0
        self._idle_s = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="files", daemon=True)

    def start(self) -> None:
        """Find the files and begin to follow them."""
        self.begin(time.monotonic())
        self._thread.start()

    def stop(self) -> None:
        """Read what is there, then end."""
        self._stopping.set()
        self._thread.join()

    def lag_bytes(self) -> int:
        """Give the bytes written and not handed over, over all files, as of their last look."""
        found = list(self._followed.values())
        return sum(followed.tail.lag_bytes() for followed in found if followed.copy_of is None)

    def open_files(self) -> int:
        """Give how many descriptors are held."""
        return len(self._descriptors)

    def begin(self, now: float) -> None:
        """Find the files, going on where the ledger says; *now* is monotonic."""
        self._generations.recall(now)
        self._scan(now, first=True)
        self._ledger.save()

    def step(self, now: float) -> bool:
        """Do what is due at *now*: find files, read each in turn, make it durable. True when there is more to do at once."""
        if now >= self._next_scan:
            self._next_scan = now + SCAN_S
            self._scan(now)
        busy = self._pass(now)
        self._generations.settle(now)
        return busy

    def end(self, now: float) -> None:
        """Look for files once more and hand over whole lines that waited, for a moment; let the files go."""
        self._scan(now)
        last = time.monotonic() + LAST_PASSES_S
        while self._pass(now, flush=True) and time.monotonic() < last:
            continue
        for followed in list(self._followed.values()):
            if followed.tail.is_deleted():  # nobody will find it again
                self._ships_rest(followed, now)
        self._generations.settle(now, wait_s=0.0)
        self._shipper.commit()
        self._descriptors.close_all()

    def _run(self) -> None:
        while not self._stopping.is_set():
            if not self.step(time.monotonic()):
                self._stopping.wait(POLL_S)
        self.end(time.monotonic())

    def _scan(self, now: float, *, first: bool = False) -> None:
        """Take up new files, those that are known before others; follow renames, finish what has gone."""
        found = self._find()
        new = self._seen(found)
        self._note_gone(found, now)
        known = [identity for identity in new if identity in self._generations.known]
        for identity in known:
            self._take_up(found[identity], now)
        if first:
            self._resume_renamed(now)
        for identity in new:
            if identity not in self._followed:
                self._take_up(found[identity], now)
        self._let_go(found, now)
        self._idle_s = max(0.0, len(self._followed) / IDLE_LOOKS_PER_S - POLL_S)

    def _find(self) -> Found:
        found: Found = {}
        for watch in self._watches:
            for pattern in watch.settings.paths:
                initial = self._ledger.first_look(pattern)
                for path, identity in self._finder.find(pattern, watch.settings.exclude):
                    if watch.wanted(path):
                        found.setdefault(identity, (path, watch, initial))
        return found

    def _seen(self, found: Found) -> list[Inode]:
        """Note under which names the followed files are; give those that are not followed yet."""
        new: list[Inode] = []
        for identity, (path, _, _) in found.items():
            followed = self._followed.get(identity)
            if followed is None:
                new.append(identity)
            else:
                followed.tail.is_seen_at(path)
        return new

    def _take_up(self, found: tuple[str, Watch, bool], now: float, *, must_resume: bool = False) -> None:
        """Begin to follow a file, going on where it is known; with *must_resume*, only then."""
        path = found[0]
        try:
            tail = Tail(path, found[1].settings.encoding)
            known = self._generations.known.get(tail.identity)
            resumed = known is not None and tail.resume(*known)
            if tail.identity in self._followed or (must_resume and not resumed):
                tail.close()
                return
            self._follow(tail, found, now, resumed=resumed)
        except FileNotFoundError:
            return
        except OSError as error:
            if path not in self._unreadable:
                self._unreadable.add(path)
                log("warning", "file_unreadable", path=path, reason=str(error))
            return
        self._unreadable.discard(path)

    def _follow(self, tail: Tail, found: tuple[str, Watch, bool], now: float, *, resumed: bool) -> None:
        _, watch, initial = found
        settings = watch.settings
        known = self._generations.known.pop(tail.identity, None)
        if known is not None and not resumed:
            self._generations.retain(*known, now)
        if initial and known is None and settings.start_at == "end":
            tail.skip_to_end()
        shaper = self._shapers(settings.format, settings.multiline, settings.multiline_start)
        followed = Followed(tail, watch, watch.origin_of(tail.path), shaper)
        followed.is_active(now)
        self._generations.begun(followed, resumed=resumed, initial=initial)
        log("info", "file_followed", path=tail.path, offset=tail.offset, resumed=resumed)

    def _resume_renamed(self, now: float) -> None:
        """Go on with files that left the patterns while the agent was not running, as long as they can be found."""
        directories: dict[str, dict[int, list[str]]] = {}
        known = self._generations.known
        for identity, (generation, place) in list(known.items()):
            path = place.mark.path
            directory = os.path.dirname(path)  # noqa: PTH120
            watch = next((one for one in self._watches if _is_watched(one, path)), None)
            if watch is not None:
                if directory not in directories:
                    directories[directory] = inodes(directory)
                for candidate in directories[directory].get(identity[1], ()):
                    self._take_up((candidate, watch, False), now, must_resume=True)
            if known.pop(identity, None) is not None:
                self._generations.retain(generation, place, now)

    def _note_gone(self, found: Found, now: float) -> None:
        """Open files that are not found any more and were closed, while they may still be somewhere near."""
        for followed in [self._followed[identity] for identity in self._followed if identity not in found]:
            if followed.tail.gone_since is None:
                followed.tail.gone_since = now
                self._descriptors.relocate(followed.tail)

    def _let_go(self, found: Found, now: float) -> None:
        """Finish files that have gone, once nobody has written to them for a while."""
        for identity in [identity for identity in self._followed if identity not in found]:
            followed = self._followed[identity]
            gone_since = followed.tail.gone_since
            if gone_since is None or now - max(gone_since, followed.active_at) < GONE_S:
                continue
            if self._ships_rest(followed, now):
                self._shipper.commit()
                self._generations.finished(followed, now)
                log("info", "file_finished", path=followed.tail.path, offset=followed.tail.offset)

    def _ships_rest(self, followed: Followed, now: float) -> bool:
        """Ship the rest of a file, its partial last line included; False when the agent is stopping before that."""
        if followed.copy_of is not None or followed.tail.packed:
            return True
        try:
            return all(self._shipper.ship(followed, piece) for piece in _rest(followed, now))
        except (Rewritten, OSError):
            return True

    def _pass(self, now: float, *, flush: bool = False) -> bool:
        """Give each file its turn; True when some file has more."""
        busy = offered = False
        for followed in list(self._followed.values()):
            if not flush and not followed.is_due(now):
                continue
            try:
                taken, more = self._turn(followed, now, flush=flush)
            except Rewritten:
                self._generations.rewritten(followed, now)
                taken, more = False, True
            except OSError as error:  # a network file system that lost the file; the next scan opens it again
                log("warning", "file_unreadable", path=followed.tail.path, reason=str(error))
                self._generations.lost(followed)
                continue
            offered = offered or taken
            busy = busy or more
        if offered:
            self._shipper.commit()
        return busy

    def _turn(self, followed: Followed, now: float, *, flush: bool) -> tuple[bool, bool]:
        """Hand over a file's next blocks; (something was taken, there is more)."""
        if not self._has_news(followed, now, flush=flush) or not self._generations.has_opened(followed, now):
            return False, False
        if followed.copy_of is not None and not self._generations.is_decided(followed, now):
            return False, False
        followed.tail.verify()
        taken = False
        for _ in range(BLOCKS_PER_TURN):
            piece = None if followed.tail.packed else followed.next_piece(now, flush=flush)
            if piece is None:
                return taken, False
            if not self._shipper.ship(followed, piece):
                followed.tail.look_again()
                return taken, False
            taken = True
            if not piece.more:
                return True, False
        followed.tail.look_again()
        return True, True

    def _has_news(self, followed: Followed, now: float, *, flush: bool) -> bool:
        """Say whether a file has changed, or something that waits in it is due."""
        if self._followed.get(followed.tail.identity) is not followed:  # given up in this pass
            return False
        try:
            changed = followed.tail.look()
        except FileNotFoundError:  # a closed file that moved; the next scan knows where to
            return False
        if followed.tail.has_moved:
            followed.is_active(now)
        waiting = followed.due is not None and (followed.due <= now or flush)
        undecided = followed.copy_of is followed or isinstance(followed.copy_of, Ended)
        if changed or waiting or (undecided and followed.tail.size):
            return True
        followed.rest(now, self._idle_s)
        return False


def _rest(followed: Followed, now: float) -> Iterator[Piece]:
    while followed.tail.is_open() and (piece := followed.next_piece(now, finishing=True)) is not None:
        yield piece


def _is_watched(watch: Watch, path: str) -> bool:
    return any(matches(pattern, path) for pattern in watch.settings.paths)
