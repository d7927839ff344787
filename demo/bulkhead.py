"""A bulkhead: at most *limit* calls in flight to one neighbour, a short bounded queue before it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from demo.errors import BulkheadFull


class Bulkhead:
    """
    Bounded concurrency for one target.

    Args:
        name: The target.
        limit: Calls in flight at most.
        max_queued: Calls that may wait for a slot; one more is rejected at once.
        max_wait_s: How long one waits before it is rejected.
    """

    def __init__(self, name: str, limit: int, max_queued: int = 16, max_wait_s: float = 0.5) -> None:
        self.name = name
        self.limit = limit
        self.max_queued = max_queued
        self.max_wait_s = max_wait_s
        self.in_use = 0
        self.queued = 0
        self._slots = asyncio.Semaphore(limit)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """
        Hold one slot.

        Raises:
            BulkheadFull: The queue is full, or no slot became free in *max_wait_s*.
        """
        await self._enter()
        self.in_use += 1
        try:
            yield
        finally:
            self.in_use -= 1
            self._slots.release()

    async def _enter(self) -> None:
        if self._slots.locked() and self.queued >= self.max_queued:
            raise BulkheadFull(self.name, self.limit)
        self.queued += 1
        try:
            async with asyncio.timeout(self.max_wait_s):
                await self._slots.acquire()
        except TimeoutError as error:
            raise BulkheadFull(self.name, self.limit) from error
        finally:
            self.queued -= 1
