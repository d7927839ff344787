"""Log files: any lines, as services wrote them; the service is the folder's name, or what a side file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from collector.replay.files import lines_of
from collector.replay.parcel import BODY_BYTES, Extent, Move, Parcel, Unreadable, resource_header
from collector.replay.times import move_line, of_line


@dataclass(frozen=True, slots=True)
class LogFile:
    """
    Lines for ``/v1/lines``.

    Attributes:
        path: The file.
        resource: Whose lines they are.
    """

    path: Path
    resource: Mapping[str, str]
    what: str = "log lines"

    def extent(self) -> Extent:
        """Read all of it; a line without a time is of the time of the one before it."""
        extent = Extent()
        for _, line in lines_of(self.path):
            at_ns = of_line(line)
            extent.untimed += not at_ns
            extent.add(at_ns, at_ns, 1)
        if not extent.records:
            raise Unreadable("is empty")
        return extent

    def parcels(self, move: Move) -> Iterator[Parcel]:
        """Cut it into bodies of whole lines."""
        cut = Cut(move, "/v1/lines", "text/plain", resource_header(self.resource))
        for _, line in lines_of(self.path):
            yield from cut.add(of_line(line), move_line(line, move.shift_ns))
        yield from cut.rest()


class Cut:
    """
    Lines gathered into bodies: by size, and by the time they are of.

    Args:
        move: How long a body may last.
        path: Of the collector.
        content_type: Of the bodies.
        headers: Of the requests.
    """

    def __init__(self, move: Move, path: str, content_type: str, headers: Mapping[str, str]) -> None:
        self._move = move
        self._path = path
        self._content_type = content_type
        self._headers = headers
        self._lines: list[bytes] = []
        self._size = 0
        self._at_ns = 0
        self._last_ns = 0

    def add(self, at_ns: int, line: bytes) -> Iterator[Parcel]:
        """Take a line of *at_ns*, 0 = of the time of the one before; yield the body that is full with it."""
        if self._size >= BODY_BYTES or (
            at_ns and self._at_ns and abs(at_ns - self._at_ns) >= self._move.step_ns
        ):
            yield from self.rest()
        self._last_ns = at_ns or self._last_ns
        self._at_ns = self._at_ns or self._last_ns
        self._lines.append(line)
        self._size += len(line) + 1

    def rest(self) -> Iterator[Parcel]:
        """Yield what is gathered."""
        if self._lines:
            body = b"\n".join(self._lines) + b"\n"
            yield Parcel(self._at_ns, self._path, self._content_type, body, len(self._lines), self._headers)
        self._lines, self._size, self._at_ns = [], 0, 0
