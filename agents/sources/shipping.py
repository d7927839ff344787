"""Blocks of files: bytes of a followed file on their way through its shaper to the intake."""

from dataclasses import replace

from agents.block import Block, Position
from agents.intake import Intake
from agents.processors import Tally
from agents.sources.followed import Followed, Piece


class Shipper:
    """Makes blocks; what was handed over is durable after ``commit``."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def ship(self, followed: Followed, piece: Piece) -> bool:
        """Hand over the next bytes of a file and move on; False when the agent is stopping before there was room."""
        tail = followed.tail
        mark = replace(tail.mark(piece.taken), cut=piece.cut)
        position = Position(tail.generation, tail.offset, tail.offset + len(piece.taken), mark)
        if not self.offer(followed, position, piece.body, piece.tally):
            return False
        tail.advance(piece.taken)
        tail.cut = piece.cut
        return True

    def offer(self, followed: Followed, position: Position, body: bytes, tally: Tally) -> bool:
        """Hand over UTF-8 of *position*; False as ``ship``. Blank lines alone are no block: no collector takes them."""
        origin, settings = followed.origin, followed.watch.settings
        headers = origin.headers("file", followed.tail.path, position)
        if settings.format != "detect":
            headers["Fuseboard-Format"] = settings.format
        body = followed.shaper(body, tally) if body else body
        if body.startswith((b"\n", b"\r")) and not body.strip(b"\r\n"):
            tally.count("blank", body.count(b"\n"), len(body))
            body = b""
        block = Block(
            stream=origin.stream("logs", f"file:{followed.tail.path}"),
            path="/v1/lines",
            key=origin.key(position),
            position=position,
            body=body,
            headers=headers,
            shed=tally.shed,
        )
        return self._intake.offer(block)

    def commit(self) -> None:
        """Make durable what was handed over."""
        self._intake.commit()
