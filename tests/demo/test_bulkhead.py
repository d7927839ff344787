"""Bounded concurrency."""

from __future__ import annotations

import asyncio

import pytest

from demo.bulkhead import Bulkhead
from demo.errors import BulkheadFull


def test_calls_over_the_limit_wait_and_over_the_queue_are_rejected() -> None:
    """One in flight, one waiting, the third is rejected at once; a freed slot lets the waiting one in."""

    async def story() -> list[tuple[int, int]]:
        bulkhead = Bulkhead("payment", limit=1, max_queued=1, max_wait_s=30)
        release = asyncio.Event()
        seen = []

        async def call() -> None:
            async with bulkhead.slot():
                await release.wait()

        async with asyncio.TaskGroup() as group:
            group.create_task(call())
            group.create_task(call())
            await asyncio.sleep(0)  # both tasks run up to where they wait
            seen.append((bulkhead.in_use, bulkhead.queued))
            with pytest.raises(BulkheadFull, match="payment"):
                async with bulkhead.slot():
                    pass
            release.set()
        seen.append((bulkhead.in_use, bulkhead.queued))
        return seen

    assert asyncio.run(story()) == [(1, 1), (0, 0)]


def test_a_call_that_waits_too_long_is_rejected() -> None:
    """The wait for a slot is bounded and leaves nothing queued."""

    async def story() -> int:
        bulkhead = Bulkhead("payment", limit=1, max_queued=1, max_wait_s=0.01)
        async with bulkhead.slot():
            with pytest.raises(BulkheadFull):
                async with bulkhead.slot():
                    pass
        return bulkhead.queued

    assert asyncio.run(story()) == 0
