"""
Generations that have ended, and files that turn out to be copies of what has been read.

``cp app.log app.log.1; : > app.log`` leaves a file whose content was read already, perhaps with a few more lines at its
end that nobody had read when the truncation came. So a file that appears with a name like that of a followed one (``is_named_after``)
and with the same content is not read while its source lives; when the source's generation ends, the copy goes on where that was
read to. If it turns out to differ it is a file of its own and is read from its beginning.

What is compared: while the source lives, its bytes (the first and the last KiB of the copy); later, the signatures at head and joint.
A copy that is shorter than what was read and was not seen beside its living source is known by its first KiB alone; one shorter
than that is read again.
"""

import os
import re
from dataclasses import dataclass, replace

from agents.block import FileMark
from agents.checkpoint import FilePlace
from agents.sources.encodings import Encoding
from agents.sources.followed import Followed
from agents.sources.identity import HEAD_BYTES, holds
from agents.sources.tail import Tail

_ROTATED = re.compile(r"[-._0-9TZ:+]*(?:old|bak|backup|copy|orig|prev|save|~)?[-._0-9]*")


@dataclass(slots=True, eq=False)
class Ended:
    """
    A generation that nothing will be read of any more.

    Attributes:
        place: Up to where it was read.
        at: When its end was noticed, monotonic seconds.
        followed: The file it was of; None when a former process read it.
        start: Up to where it has been shipped, from here or from a copy.
        known_end: Up to where it is known to have been written.
        held: What was seen behind *start*; *held_mark* describes the file read up to its end.
        encoding: How the file is written.
        settled: What there was to ship or to count has been.
        lasting: The file is still there, out of the patterns, and would be gone on with.
    """

    generation: str
    place: FilePlace
    at: float
    followed: Followed | None = None
    start: int = 0
    known_end: int = 0
    held: bytes = b""
    held_mark: FileMark | None = None
    encoding: Encoding | None = None
    settled: bool = False
    lasting: bool = False

    def claim(self, size: int) -> None:
        """Leave to a copy of *size* bytes what it holds."""
        claimed = max(0, size - self.start)
        self.start += claimed
        self.held = self.held[claimed:]
        self.known_end = max(self.known_end, self.start)


def ended(followed: Followed, now: float) -> Ended:
    """Describe the generation that *followed* has been reading until now."""
    tail = followed.tail
    place = FilePlace(tail.mark(), tail.offset)
    mark, encoding = tail.mark(tail.held), tail.encoding_seen()
    return Ended(
        tail.generation, place, now, followed, tail.offset, tail.known_end, tail.held, mark, encoding
    )


def is_named_after(path: str, source: str) -> bool:
    """Say whether *path* may be a rotated copy of *source* by its name: app.log -> app.log.1, app-20261127.log, old/app.log."""
    name, original = os.path.basename(path), os.path.basename(source)  # noqa: PTH119 - names, not paths
    stem, extension = os.path.splitext(original)  # noqa: PTH122
    rest = name[len(stem) :].replace(extension, "", 1)
    if path == source or not name.startswith(stem) or not (rest or name == original):
        return False
    return _ROTATED.fullmatch(rest) is not None


def begins_behind(copy: Tail, source: Ended) -> int:
    """Say from where *copy* has to be read, given what was read of *source*: 0 when it is no copy."""
    place = source.place
    size = os.fstat(copy.descriptor).st_size
    if not place.mark.signature_bytes:
        return 0
    if size >= place.offset:
        return place.offset if holds(copy.descriptor, size, place) else 0
    is_prefix = place.mark.signature_bytes == HEAD_BYTES <= size
    return (
        size if is_prefix and holds(copy.descriptor, size, FilePlace(replace(place.mark, joint=""), 0)) else 0
    )


def is_prefix_of(copy: Tail, source: Tail) -> bool:
    """Say whether *copy* holds what the living *source* begins with, as far as its first and last KiB tell."""
    size = os.fstat(copy.descriptor).st_size
    if size > os.fstat(source.descriptor).st_size:
        return False
    for at in {0, max(0, size - HEAD_BYTES)}:
        length = min(HEAD_BYTES, size - at)
        if os.pread(copy.descriptor, length, at) != os.pread(source.descriptor, length, at):
            return False
    return True
