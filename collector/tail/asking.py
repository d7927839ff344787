"""The tail's questions to ClickHouse: in threads of their own, several searches at once, each alone where that is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from collector.errors import FuseboardError, QueryError, StoreRejected
from collector.read.sql import Reader, Row, Store
from collector.tail.arrivals import Arrival, arrivals
from collector.tail.records import Wanted, count, probe, records

_T = TypeVar("_T")
# A tick, and whoever begins to watch.
_THREADS = 2


@dataclass(frozen=True, slots=True)
class Answered:
    """Records of one search, how many more there were, and why there are none where the search is refused."""

    rows: list[Row]
    left_out: int = 0
    error: FuseboardError | None = None


class Asking:
    """
    Asks.

    Args:
        store: ClickHouse.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        # The loop's threads are ingest's, the framework's may all wait for ClickHouse.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="tail")

    async def probe(self, wanted: Wanted) -> None:
        """Raise `QueryError` if the engine refuses a search."""
        await self._ask(probe, Reader(self._store), wanted)

    async def arrivals(self, since_ns: int, seen: Collection[int] = ()) -> list[Arrival]:
        """Return what was stored after *since_ns* and is not *seen*; see `arrivals`."""
        return await self._ask(arrivals, Reader(self._store), since_ns, seen)

    async def answers(
        self, found: Sequence[Arrival], searches: Sequence[Wanted], most: int
    ) -> list[Answered]:
        """Return for each of *searches* its records of *found*, *most* of each."""
        try:
            answers = await self._ask(records, Reader(self._store), found, searches, most)
        except (QueryError, StoreRejected) as error:
            if len(searches) == 1:
                return [Answered([], error=error)]
            return [(await self.answers(found, [search], most))[0] for search in searches]
        return [
            await self._counted(found, search, rows, most)
            for search, rows in zip(searches, answers, strict=True)
        ]

    async def count(self, found: Sequence[Arrival], search: Wanted) -> int:
        """Return how many records of *found* a search wants."""
        return await self._ask(count, Reader(self._store), found, search)

    async def _counted(
        self, found: Sequence[Arrival], search: Wanted, rows: list[Row], most: int
    ) -> Answered:
        if len(rows) <= most:
            return Answered(rows)
        return Answered(rows[:most], max(0, await self.count(found, search) - most))

    async def _ask(self, question: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(question, *arguments))

    def close(self) -> None:
        """Ask no more; what runs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
