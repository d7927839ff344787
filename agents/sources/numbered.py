"""
Blocks of a source that has no file behind it: each is numbered, so a gap in the ledger is a block that was never kept.

A number belongs to one ``source`` name and goes on after a restart, so what is shipped under one name must come from one place.
"""

import time

from agents.block import Block, Position
from agents.errors import NoRoom, SpoolUnavailable
from agents.intake import Intake
from agents.ledger import Ledger
from agents.own_log import log, rfc3339
from agents.sources import Origin, counted_generation

PLAIN = "text/plain; version=0.0.4; charset=utf-8"


class Numbered:
    """Ships the blocks of one stream (*signal*, *source*) to *path* under *kind*; for one thread."""

    def __init__(
        self,
        origin: Origin,
        intake: Intake,
        ledger: Ledger,
        *,
        kind: str,
        source: str,
        signal: str,
        path: str,
    ) -> None:
        self._origin = origin
        self._intake = intake
        self._kind = kind
        self._path = path
        self._ledger = ledger
        self._stream = origin.stream(signal, source)
        self._generation = counted_generation(source)
        self._number = ledger.sequence_of(source)
        self._closed = False

    def close(self) -> None:
        """Ship nothing more: a thread that hangs in a name's look-up must not number blocks beside its successor."""
        self._closed = True

    def ship(self, name: str, body: bytes, headers: dict[str, str]) -> bool:
        """
        Make one block durable, read at *name* (a URL, a path).

        Returns:
            False when there was no room, or the disk refused (the number is used up; the block is counted as dropped, ``not_kept``),
            or after ``close``.
        """
        if self._closed:
            return False
        position = Position(self._generation, self._number, self._number + 1)
        self._number += 1
        block = Block(
            stream=self._stream,
            path=self._path,
            key=self._origin.key(position),
            position=position,
            body=body,
            headers=self._origin.headers(self._kind, name, position) | headers,
        )
        try:
            self._intake.deliver(block)
        except (NoRoom, SpoolUnavailable) as error:
            log("warning", "block_skipped", source=self._stream.source, code=error.code, reason=error.message)
            self._ledger.never_counted(self._stream, "not_kept", 1, len(body), body.count(b"\n"))
            return False
        return True


class Expositions:
    """Ships expositions as ``metrics``; a *stale* one ends the series it names."""

    def __init__(self, origin: Origin, intake: Intake, ledger: Ledger, *, kind: str, source: str) -> None:
        self._blocks = Numbered(
            origin, intake, ledger, kind=kind, source=source, signal="metrics", path="/v1/exposition"
        )

    def close(self) -> None:
        """Ship nothing more."""
        self._blocks.close()

    def ship(
        self,
        name: str,
        body: bytes,
        *,
        content_type: str = PLAIN,
        at: float | None = None,
        stale: bool = False,
    ) -> bool:
        """Ship *body*, observed *at* (epoch seconds, now by default); False when it was not taken."""
        headers = {
            "Content-Type": content_type,
            "Fuseboard-Scraped-At": rfc3339(time.time() if at is None else at),
        }
        return self._blocks.ship(name, body, headers | ({"Fuseboard-Format": "stale"} if stale else {}))
