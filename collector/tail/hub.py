"""
The hub: reads what was stored since the last tick, once, and hands it to every viewer.

A tick is one question about arrivals and, where there were any, one about their records, whatever the number of viewers; viewers of equal
searches share the very bytes. Questions run in a thread; everything else in the event loop of whoever watches. The loop begins with the
first viewer and ends with the last.

While the engine is away nothing is told, and nothing is lost: the next tick that succeeds begins where the last one ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from collector.errors import FuseboardError, NoRoom, StoreUnavailable
from collector.metrics import TailMetrics
from collector.query.search import Condition
from collector.query.window import SECOND_NS
from collector.read.sql import Store
from collector.tail import frames
from collector.tail.arrivals import MOST, Arrival
from collector.tail.asking import Answered, Asking
from collector.tail.catching_up import missed
from collector.tail.position import SETTLED_NS, Position, read
from collector.tail.records import Wanted
from collector.tail.viewer import Viewer

log = structlog.get_logger(__name__)

# How much later than it says a segment may become visible: the longest that writing its ledger rows takes.
_LOOK_BACK_NS = 120 * SECOND_NS
# Records of one tick, of all searches together, and of one of many: what a person can see go by is far below.
_TICK_RECORDS = 4000
_SEARCH_RECORDS = 50


@dataclass(frozen=True, slots=True)
class TailLimits:
    """
    Bounds of the tail.

    Attributes:
        viewers: At the same time.
        searches: Different ones at the same time: each is a condition of the tick's statement.
        tick_s: Seconds between two looks.
        alive_s: Seconds of silence after which a sign of life is sent.
    """

    viewers: int = 100
    searches: int = 32
    tick_s: float = 0.5
    alive_s: float = 10.0


@dataclass(slots=True)
class _Group:
    """The viewers of one search."""

    wanted: Wanted
    viewers: set[Viewer] = field(default_factory=set)


class Watched:
    """
    One viewer's stream.

    Args:
        tail: Whose.
        group: Its search.
        viewer: Its queue.
        first: Bytes to begin with.
    """

    def __init__(self, tail: Tail, group: _Group, viewer: Viewer, first: bytes) -> None:
        self._tail = tail
        self._group = group
        self._viewer = viewer
        self._first = first

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the bytes of the stream until the viewer leaves or the tail is closed."""
        try:
            yield self._first
            while (sent := await self._viewer.next(self._tail.limits.alive_s)) is not None:
                yield sent or self._tail.alive()
        finally:
            self.leave()

    def leave(self) -> None:
        """End it, also one that never began; more than once does no harm."""
        self._tail.leave(self._group, self._viewer)


class Tail:
    """
    Everyone who watches.

    Args:
        store: ClickHouse.
        limits: Bounds.
        metrics: Counters.
        attend: Told before each tick that somebody reads.
        clock_ns: Nanoseconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        limits: TailLimits,
        metrics: TailMetrics,
        attend: Callable[[], object] = lambda: None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.limits = limits
        self._asking = Asking(store)
        self._metrics = metrics
        self._attend = attend
        self._clock_ns = clock_ns
        self._groups: dict[Wanted, _Group] = {}
        self._ticking: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._looked_ns = 0
        self._began_ns = 0
        self._seen: dict[int, None] = {}
        self._away = False
        self._closed = False

    async def watch(
        self, search: Condition, env: str, cursor: str | None = None, since_ns: int | None = None
    ) -> Watched:
        """
        Begin to watch.

        Args:
            search: What is wanted.
            env: Only this environment; "" = any.
            cursor: The id of the last event seen, to go on behind it; ``None`` = from now on.
            since_ns: Without *cursor*: begin with what was stored after that, epoch nanoseconds.

        Raises:
            QueryError: ``bad_cursor``, or the engine refuses the search.
            NoRoom: ``tail_full``: too many viewers, or too many different searches.
            StoreUnavailable: The engine is away.
        """
        resumed = read(cursor) if cursor else None if since_ns is None else Position(since_ns, frozenset())
        wanted = Wanted.of(search, env)
        self._admit(wanted)
        if wanted not in self._groups:
            await self._asking.probe(wanted)
        async with self._turn:
            self._admit(wanted)
            if self._ticking is None:
                await self._begin()
            viewer = Viewer()
            before = await self._missed(wanted, resumed, viewer)
            return self._joined(wanted, viewer, frames.opening() + before + self._position)

    def _admit(self, wanted: Wanted) -> None:
        watching = sum(len(group.viewers) for group in self._groups.values())
        if self._closed or watching >= self.limits.viewers:
            raise NoRoom(
                "tail_full", f"{watching} viewers watch already, the most of this collector", retry_after_s=30
            )
        if wanted not in self._groups and len(self._groups) >= self.limits.searches:
            raise NoRoom(
                "tail_full",
                f"{len(self._groups)} different searches are watched already, the most of this collector; watch one of them, or search",
                retry_after_s=30,
            )

    async def _begin(self) -> None:
        """Take everything that is stored as seen."""
        now_ns, seen = self._clock_ns(), dict[int, None]()
        while stored := await self._asking.arrivals(now_ns - _LOOK_BACK_NS, seen):
            seen |= dict.fromkeys(arrival.stored_ns for arrival in stored)
        self._seen = seen
        self._began_ns = now_ns - _LOOK_BACK_NS
        self._looked_ns = now_ns
        self._away = False

    def _joined(self, wanted: Wanted, viewer: Viewer, first: bytes) -> Watched:
        if self._ticking is None:
            self._ticking = asyncio.create_task(self._run())
        group = self._groups.setdefault(wanted, _Group(wanted))
        group.viewers.add(viewer)
        self._metrics.viewers.inc()
        self._metrics.searches.set(len(self._groups))
        return Watched(self, group, viewer, first)

    def leave(self, group: _Group, viewer: Viewer) -> None:
        """Forget a viewer; with the last one the loop ends."""
        if viewer not in group.viewers:
            return
        group.viewers.discard(viewer)
        self._metrics.viewers.dec()
        if not group.viewers:
            self._groups.pop(group.wanted, None)
            self._metrics.searches.set(len(self._groups))
        if not self._groups and self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None

    def close(self) -> None:
        """End every stream: the collector is about to stop."""
        self._closed = True
        self._asking.close()
        for group in self._groups.values():
            for viewer in group.viewers:
                viewer.close()

    def alive(self) -> bytes:
        """Give a sign of life that says how far everything was seen."""
        return frames.ALIVE + self._position

    @property
    def _position(self) -> bytes:
        return frames.position(self._seen, self._floor_ns)

    @property
    def _floor_ns(self) -> int:
        return self._looked_ns - SETTLED_NS

    async def _missed(self, wanted: Wanted, resumed: Position | None, viewer: Viewer) -> bytes:
        if resumed is None:
            return b""
        found = await missed(self._asking, wanted, resumed, self._had)
        viewer.skipped += found.left_out
        self._metrics.records.inc(found.records)
        self._metrics.skipped.inc(found.left_out)
        return found.data

    def _had(self, stored_ns: int) -> bool:
        """Whether the hub has told that arrival already: it will not come again by itself."""
        return stored_ns in self._seen or stored_ns <= max(self._began_ns, self._looked_ns - _LOOK_BACK_NS)

    async def _run(self) -> None:
        while not self._closed:
            began = time.monotonic()
            self._attend()
            try:
                async with self._turn:
                    await self._tick()
                self._away = False
            except StoreUnavailable as error:
                self._say_away(error)
            except Exception:
                if self._closed:
                    return
                log.exception("tail_tick_failed")
            self._metrics.seconds.observe(time.monotonic() - began)
            await asyncio.sleep(self.limits.tick_s)

    def _say_away(self, error: StoreUnavailable) -> None:
        if not self._away:
            log.info("tail_waits", error=error.message)
            told = frames.Frames(
                frames.event(
                    "waiting", {"code": error.code, "message": "the engine is away; nothing is lost"}
                ),
                0,
            )
            for group in self._groups.values():
                for viewer in group.viewers:
                    viewer.offer(told)
        self._away = True

    async def _tick(self) -> None:
        now_ns = self._clock_ns()
        found = await self._asking.arrivals(self._looked_ns - _LOOK_BACK_NS, self._seen)
        if found and self._groups:
            groups = list(self._groups.values())
            most = max(_SEARCH_RECORDS, _TICK_RECORDS // len(groups))
            answers = await self._asking.answers(found, [group.wanted for group in groups], most)
            for group, answer in zip(groups, answers, strict=True):
                self._hand_out(group, answer, found)
        self._seen |= dict.fromkeys(arrival.stored_ns for arrival in found)
        if len(found) < MOST:
            self._looked_ns = max(self._looked_ns, now_ns)
            self._forget()

    def _forget(self) -> None:
        oldest_ns = self._looked_ns - _LOOK_BACK_NS
        self._seen = dict.fromkeys(stored_ns for stored_ns in self._seen if stored_ns > oldest_ns)

    def _end(self, group: _Group, error: FuseboardError) -> None:
        log.warning("tail_search_failed", code=error.code, error=error.message[:300])
        told = frames.Frames(frames.event("problem", {"code": error.code, "message": error.message}), 0)
        for viewer in group.viewers:
            viewer.offer(told)
            viewer.close()

    def _hand_out(self, group: _Group, answer: Answered, found: Sequence[Arrival]) -> None:
        if answer.error is not None:
            self._end(group, answer.error)
            return
        made = frames.told(answer.rows, found, self._seen, self._floor_ns)
        for viewer in group.viewers:
            lost = viewer.offer(made) if made.data else 0
            if answer.left_out:
                viewer.leave_out(answer.left_out)
            self._metrics.records.inc(made.records - lost)
            self._metrics.skipped.inc(lost + answer.left_out)
