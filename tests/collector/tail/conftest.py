import asyncio
import json
import time
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import CollectorRegistry

from collector.metrics import TailMetrics
from collector.query.search import LOGS, compile_search
from collector.query.window import sql_time
from collector.tail import Tail, TailLimits
from tests.collector.read.real_store import Filler, log, store

__all__ = ["store"]

_DEADLINE_S = 60


@pytest.fixture
def fill(store):
    """Inserts rows for one test."""
    filler = Filler(store)
    yield filler
    filler.empty()


class Source:
    """Stores segments as the loader would: the logs, then the ledger's rows."""

    def __init__(self, fill: Filler) -> None:
        self._fill = fill
        self._segments = 0

    def __call__(
        self, *bodies: str, stored_s: float = 0.0, received_s: float = 0.0, batches: int = 1, **fields
    ) -> None:
        """Store one segment of *bodies*; *stored_s* and *received_s* are seconds from now."""
        self._segments += 1
        now_ns = time.time_ns()
        received, stored = (sql_time(now_ns + int(s * 1e9)) for s in (received_s, stored_s))
        names = [f"s{self._segments}-{number}" for number in range(batches)]
        times = {"occurred_at": received, "observed_at": received}
        self._fill(
            "logs",
            [
                log(0, body, **{**times, "batch_id": names[line % batches], "line": line, **fields})
                for line, body in enumerate(bodies)
            ],
        )
        ledger = {"received_at": received, "stored_at": stored, "signal": "logs", "retention_days": 3000}
        self._fill("batches", [{**ledger, "batch_id": name} for name in names])


@pytest.fixture
def source(fill):
    """Stores segments."""
    return Source(fill)


@pytest.fixture
def tail(store, fill):
    """A quick tail on the real engine."""
    del fill
    return Tail(
        store, TailLimits(viewers=60, searches=8, tick_s=0.02, alive_s=0.2), TailMetrics(CollectorRegistry())
    )


def searched(text: str):
    """A compiled search."""
    return compile_search(text, LOGS, time.time_ns())


class Reading:
    """One viewer that keeps what it is told."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.last_id = ""

    def take(self, sent: bytes) -> None:
        """Split bytes into events; an id counts from its blank line on."""
        for block in sent.decode().split("\n\n")[:-1]:
            self.blocks.append(block)
            for line in block.split("\n"):
                if line.startswith("id: "):
                    self.last_id = line[4:]

    def events(self, name: str) -> list[dict]:
        """Contents of the events called *name*."""
        return [json.loads(b.partition("data: ")[2]) for b in self.blocks if b.startswith(f"event: {name}\n")]

    @property
    def bodies(self) -> list[str]:
        """Bodies of the records told."""
        return [
            json.loads(b.partition("data: ")[2])["body"]
            for b in self.blocks
            if "data: " in b and not b.startswith("event")
        ]


async def reads(
    tail, text: str, until: Callable[[Reading], bool], cursor: str | None = None, then=None
) -> Reading:
    """Watch until *until* holds; *then* runs in a thread once the stream has begun."""
    reading = Reading()
    watched = await tail.watch(searched(text), "", cursor)
    doing: Awaitable[None] | None = None
    try:
        async with asyncio.timeout(_DEADLINE_S):
            async for sent in watched:
                reading.take(sent)
                if doing is None and then is not None:
                    doing = asyncio.create_task(asyncio.to_thread(then))
                if until(reading):
                    break
    finally:
        watched.leave()
        if doing is not None:
            await doing
    return reading


async def until(check: Callable[[], object]) -> None:
    """Return when *check* holds."""
    async with asyncio.timeout(_DEADLINE_S):
        while True:
            if check():
                return
            await asyncio.sleep(0.01)
