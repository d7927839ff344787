"""One viewer: what waits to be sent to it, bounded."""

from __future__ import annotations

import asyncio
from collections import deque

from collector.tail.frames import Frames, event

# A browser behind a slow line: some seconds of a busy system. Beyond it records are left out, and it is told how many.
QUEUE_BYTES = 1 << 20


class Viewer:
    """
    A queue of frames between the hub and one connection; used in one event loop.

    Attributes:
        skipped: Records left out since the viewer was told.
        closed: No more will come.
    """

    def __init__(self, queue_bytes: int = QUEUE_BYTES) -> None:
        self._queue_bytes = queue_bytes
        self._waiting: deque[Frames] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self.skipped = 0
        self.closed = False

    def offer(self, frames: Frames) -> int:
        """Queue *frames*; where there is no room leave them out. Returns how many records were left out."""
        if self._waiting and self._bytes + len(frames.data) > self._queue_bytes:
            self.skipped += frames.records
            return frames.records
        self._waiting.append(frames)
        self._bytes += len(frames.data)
        self._news.set()
        return 0

    def leave_out(self, records: int) -> None:
        """Tell the viewer with the next frames that there were more."""
        self.skipped += records
        self._news.set()

    def close(self) -> None:
        """End the stream after what waits."""
        self.closed = True
        self._news.set()

    async def next(self, patience_s: float) -> bytes | None:
        """Return what waits; ``b""`` after *patience_s* of nothing; ``None`` at the end."""
        if not self._waiting and not self.skipped and not self.closed:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), patience_s)
            except TimeoutError:
                return b""
        sent = b"".join(frames.data for frames in self._waiting)
        self._waiting.clear()
        self._bytes = 0
        if self.skipped:
            sent += event("skipped", {"records": self.skipped})
            self.skipped = 0
        return sent or (None if self.closed else b"")
