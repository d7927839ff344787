"""
What happens when a file's generation ends: truncated, rewritten, deleted, out of the patterns; and who goes on with it.

An ended generation is kept for a minute, in memory and in the ledger, so that copies of it are recognised, after a kill
too. What had been seen of it and was not shipped waits for such a copy for 2.5 s; then what is in memory is shipped and the rest is
counted as dropped (*truncated*).
"""

import os

from agents.block import Position
from agents.checkpoint import FilePlace
from agents.ledger import Ledger
from agents.own_log import log
from agents.processors import Tally
from agents.sources.copies import Ended, begins_behind, ended, is_named_after, is_prefix_of
from agents.sources.descriptors import Descriptors
from agents.sources.discovery import identity_of
from agents.sources.followed import Followed
from agents.sources.identity import Inode
from agents.sources.shipping import Shipper
from agents.sources.tail import Rewritten

SETTLE_S = 2.5  # a copy made before a truncation is found by then (two scans)
RETAIN_S = 60.0  # a slow copy, or one found after a kill, is recognised for so long


class Generations:
    """
    The followed files and the generations that have ended; used by one thread.

    Attributes:
        followed: By identity.
        known: What can be gone on with when it is found: generation and place by identity.
    """

    def __init__(self, ledger: Ledger, shipper: Shipper, descriptors: Descriptors) -> None:
        self._ledger = ledger
        self._shipper = shipper
        self._descriptors = descriptors
        self.followed: dict[Inode, Followed] = {}
        self.known: dict[Inode, tuple[str, FilePlace]] = {}
        self._ended: list[Ended] = []

    def recall(self, now: float) -> None:
        """Take over what the ledger knows of a former process; of one file only the last generation can go on."""
        for generation, place in self._ledger.files().items():
            identity = (place.mark.device, place.mark.inode)
            if identity in self.known:
                self.retain(*self.known[identity], now)
            self.known[identity] = (generation, place)

    def retain(self, generation: str, place: FilePlace, now: float) -> None:
        """Keep what a former process has read, to know copies of it."""
        self._ended.append(Ended(generation, place, now, settled=True))

    def begun(self, followed: Followed, *, resumed: bool, initial: bool) -> None:
        """Note a file that is followed now; a new one may be a copy, unless it is there at the *initial* look at its pattern."""
        tail = followed.tail
        self.followed[tail.identity] = followed
        self._descriptors.use(tail)
        if resumed:
            self._ended = [one for one in self._ended if one.generation != tail.generation]
        elif not initial:
            followed.copy_of = followed
            return
        self._ledger.place_file(tail.generation, tail.mark(), tail.offset)

    def rewritten(self, followed: Followed, now: float) -> None:
        """Begin a new generation of a file that was truncated or rewritten."""
        one = ended(followed, now)
        tail = followed.tail
        tail.begin()
        followed.is_active(now)
        self._succeed(followed, one)
        followed.copy_of = followed  # ``cp app.log app.log.1`` may have gone over the copy before
        log("warning", "file_truncated", path=tail.path, offset=one.place.offset)

    def finished(self, followed: Followed, now: float) -> None:
        """Let go of a file that was read to its end; if it still exists it is gone on with should it come back within a minute."""
        tail = followed.tail
        one = ended(followed, now)
        if tail.is_open():
            one.held, one.known_end = b"", one.start
            one.lasting = not tail.is_deleted()
        self._drop(followed)
        self._succeed(followed, one)
        if followed.copy_of is not None:
            return
        if one.lasting:
            self.known[tail.identity] = (one.generation, one.place)
        else:
            self._ledger.forget_file(one.generation)

    def lost(self, followed: Followed) -> None:
        """Let go of a file that cannot be read for now; when it is found again it is gone on with."""
        tail = followed.tail
        if followed.copy_of is None:
            self.known[tail.identity] = (tail.generation, FilePlace(tail.mark(), tail.offset))
        self._drop(followed)

    def has_opened(self, followed: Followed, now: float) -> bool:
        """Make sure that a file is open; one that was deleted while it was closed is given up."""
        tail = followed.tail
        if self._descriptors.has_opened(tail):
            return True
        if identity_of(tail.where) == tail.identity:  # another file has its inode
            self.finished(followed, now)
        else:
            tail.look_again()  # it has moved; the next scan knows where to
        return False

    def is_decided(self, followed: Followed, now: float) -> bool:
        """Decide about what may be a copy, if that can be done now; it is then read from where its source was."""
        if (
            os.fstat(followed.tail.descriptor).st_size == 0
        ):  # to be decided when there is something to compare
            followed.copy_of = followed
            return False
        if followed.copy_of is followed:
            followed.copy_of = self._source_of(followed, now)
        source = followed.copy_of
        if source is followed or (isinstance(source, Followed) and self._is_equal(followed, source, now)):
            return False
        offset = 0
        if isinstance(followed.copy_of, Ended):
            offset = begins_behind(followed.tail, followed.copy_of) or _equal_bytes(
                followed, followed.copy_of
            )
            if not offset:
                followed.copy_of = followed  # perhaps of another one
                return False
            followed.copy_of.claim(os.fstat(followed.tail.descriptor).st_size)
        followed.copy_of = None
        if offset:
            followed.tail.begin(offset)
        self._ledger.place_file(followed.tail.generation, followed.tail.mark(), offset)
        return True

    def settle(self, now: float, *, wait_s: float = SETTLE_S) -> None:
        """Ship or count what was seen of generations that ended *wait_s* ago and no copy holds; forget them after a while."""
        for one in [one for one in self._ended if not one.settled and now - one.at >= wait_s]:
            one.settled = self._settle(one)
        for one in [one for one in self._ended if now - one.at >= RETAIN_S]:
            self._ended.remove(one)
            if one.lasting:
                self.known.pop((one.place.mark.device, one.place.mark.inode), None)
            self._ledger.forget_file(one.generation)

    def _drop(self, followed: Followed) -> None:
        self.followed.pop(followed.tail.identity, None)
        self._descriptors.close(followed.tail)

    def _succeed(self, followed: Followed, one: Ended) -> None:
        """Let the copies of a file wait for its generation that has ended, not for the next; they look anew if it was a copy itself."""
        if followed.copy_of is None:
            self._ended.append(one)
        for copy in self.followed.values():
            if copy is not followed and copy.copy_of is followed:
                copy.copy_of = one if followed.copy_of is None else copy
                copy.next_look = 0.0

    def _source_of(self, followed: Followed, now: float) -> Followed | Ended | None:
        """
        Find what a file may be a copy of: what it begins like and still lives, else what it continues.

        Returns:
            *followed* itself when one that came before it is not decided about: its turn is next.
        """
        path, is_older = followed.tail.name, True
        for other in list(self.followed.values()):
            if other is followed:
                is_older = False
            elif not is_named_after(path, other.tail.path):
                continue
            elif other.copy_of is other and is_older and other.tail.size:
                return followed
            elif other.copy_of is None and self._is_equal(followed, other, now):
                return other if self.followed.get(other.tail.identity) is other else followed
        if not self.has_opened(followed, now):
            return followed
        named = (one for one in reversed(self._ended) if is_named_after(path, one.place.mark.path))
        return next((one for one in named if begins_behind(followed.tail, one)), None)

    def _is_equal(self, followed: Followed, source: Followed, now: float) -> bool:
        """
        Say whether *followed* holds what its living source begins with.

        When the source's generation turns out to have ended, ``copy_of`` of its copies says so.
        """
        copy = followed.tail
        if not self.has_opened(followed, now):
            return False
        if self.followed.get(source.tail.identity) is not source:
            return False
        if not self.has_opened(source, now):  # deleted while it was closed: what was read of it has to do
            return begins_behind(copy, ended(source, now)) > 0
        size = os.fstat(copy.descriptor).st_size
        is_prefix = is_prefix_of(copy, source.tail)
        try:
            source.tail.look()
            source.tail.verify()
        except Rewritten:
            self.rewritten(source, now)
            is_prefix = is_prefix_of(copy, source.tail)
            if is_prefix and followed.copy_of is not followed:
                followed.copy_of = source  # a copy of its new generation
        source.tail.look_again()
        followed.equal_bytes = size if is_prefix else -1
        return is_prefix

    def _settle(self, one: Ended) -> bool:
        """Ship what is held of an ended generation, count what is known to be lost; False when stopping."""
        followed = one.followed
        assert followed is not None
        end = one.start + len(one.held)
        if one.held:
            encoding = one.encoding or followed.tail.encoding()
            body = encoding.to_utf8(one.held, at_start=one.start == 0)
            position = Position(one.generation, one.start, end, one.held_mark)
            if not self._shipper.offer(followed, position, body, Tally()):
                return False
        if one.known_end > end:
            tally = Tally()
            tally.count("truncated", 0, one.known_end - end)
            lost = Position(one.generation, end, one.known_end, one.held_mark)
            if not self._shipper.offer(followed, lost, b"", tally):
                return False
        self._shipper.commit()
        return True


def _equal_bytes(followed: Followed, source: Ended) -> int:
    """Give the length of a copy that was equal to its source while that lived, has not changed since, and was all read there; else 0."""
    size = os.fstat(followed.tail.descriptor).st_size
    return size if size == followed.equal_bytes <= source.place.offset else 0
