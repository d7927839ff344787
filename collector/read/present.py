"""
The states of all breakers as they are now, kept up with what arrives instead of read again and again.

Kept per instance of a breaker: its transitions of the last hour and some minutes (and those ahead of our clock), and what the older ones leave, the newest
and the newest explicit one (held.py). That is what a look at the tables (`breakers.states`) goes by, so both say the same, of now and of some minutes ago.

A look asks how many rows there are, which ClickHouse answers from its parts' heads; with the embedded engine only when something was written since, or
some seconds ago. Only when that differs the new rows are read: a row's
``_block_number`` tells which insert of its partition it came by, whatever its times say, so late rows are new rows. Whatever does not add up (rows
that are gone, a restart, another server) is answered by reading everything once, and so is a quarter of an hour, in case: as many rows gone as came
between two looks add up. What time alone changes, a
transition that leaves the hour or a service that goes quiet, is noticed by the clock. Where the rows do not say their block (a cluster's
Distributed table) each look reads everything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from collector.errors import StoreError, StoreUnavailable
from collector.query.window import SECOND_NS, Window, sql_time
from collector.read.ago import Breaker, Who, quiet_ago, states_ago, timed, together
from collector.read.breakers import STALE_NS, BreakerState, heard_of, states
from collector.read.held import AHEAD_NS, BACK_NS, KEPT_NS, Held
from collector.read.last_states import LAST, LOOK_BACK_NS, OF_EACH, newest
from collector.read.sql import Reader, Row, Store
from collector.read.transitions import COLUMNS, Holder, Transition
from collector.store.limits import QueryLimits

log = structlog.get_logger()

# Whatever this file forgot to think of is wrong for no longer than this.
_READ_AGAIN_NS = 900 * SECOND_NS
# That a quiet service speaks again is looked for so often; a transition of its is seen at once.
_HEARD_EVERY_NS = 5 * SECOND_NS
# More new rows than this are a new month: everything is read.
_NEW_MOST = 50_000
_RECENT_MOST = 200_000
# Without a word that anything was written the rows are counted as often: an engine that hangs says nothing.
_COUNT_EVERY_NS = 5 * SECOND_NS
# The projection by time does not know the table's block numbers.
_BY_BLOCK = {"optimize_use_projections": 0}


@dataclass(frozen=True, slots=True)
class BreakerNow:
    """One instance's view of one breaker; fits ``collector.alerting.BreakerNow``."""

    service: str
    env: str
    breaker: str
    target: str
    instance: str
    state: str
    since: datetime
    reason: str
    trace_id: str


# Rows of inserts that were not seen: behind the last block of their partition; of a partition that was not there, all.
_BEHIND = "transform(_partition_id, {partitions:Array(String)}, {blocks:Array(Int64)}, toInt64(-1))"
_COUNT = "SELECT count() AS rows FROM breaker_transitions LIMIT 1"
_MARKS = """
SELECT _partition_id AS partition, toInt64(max(_block_number)) AS block, count() AS rows
FROM breaker_transitions
GROUP BY partition
LIMIT 10000
"""
_NEW = f"""
SELECT _partition_id AS partition, toInt64(_block_number) AS block, {COLUMNS}
FROM breaker_transitions
WHERE _block_number > {_BEHIND}
LIMIT {_NEW_MOST}
"""
_RECENT = f"""
SELECT {COLUMNS}
FROM breaker_transitions
WHERE at >= {{since:DateTime64(9, 'UTC')}} AND _block_number <= {_BEHIND}
ORDER BY at DESC
LIMIT {_RECENT_MOST}
"""
_OLDER = LAST + f"  AND _block_number <= {_BEHIND}\n" + OF_EACH


class Present:
    """
    The present states, for the alert evaluator and for questions about now. Thread-safe.

    Args:
        store: ClickHouse.
        clock_ns: Nanoseconds since the epoch.
        limits: What a look at the tables may take.
        heard_every_ns: How often it is looked whether a quiet service speaks again.
        mark: Gives what changes whenever a table may have changed; ``None`` = nobody knows, each look asks.
        attend: Called before somebody is said to have gone quiet: what gathers in the journal until somebody reads is loaded then.
    """

    def __init__(
        self,
        store: Store,
        clock_ns: Callable[[], int] = time.time_ns,
        limits: QueryLimits | None = None,
        heard_every_ns: int = _HEARD_EVERY_NS,
        mark: Callable[[], object | None] = lambda: None,
        attend: Callable[[], object] = lambda: None,
    ) -> None:
        self._store = store
        self._clock_ns = clock_ns
        self._limits = limits or QueryLimits()
        self._heard_every_ns = heard_every_ns
        self._mark = mark
        self._attend = attend
        self._counted: object | None = None
        self._counted_ns = 0
        self._lock = threading.Lock()
        self._by_block = True
        self._held: dict[Holder, Held] = {}
        self._dirty: set[Holder] = set()
        self._rows = -1
        self._blocks: dict[str, int] = {}
        self._read_ns = 0
        self._soonest_ns = 0
        self._spoke: dict[Who, int] = {}
        self._heard_ns = 0
        self._quiet: frozenset[Who] = frozenset()
        self._now: dict[Holder, BreakerNow] = {}
        self._groups: dict[Breaker, set[Holder]] = {}
        self._states: dict[Breaker, BreakerState] = {}
        self._changed: set[Breaker] = set()

    def current(self) -> list[BreakerNow]:
        """
        Return the state of every breaker in every instance now.

        Raises:
            StoreUnavailable: The engine is away.
        """
        now_ns = self._clock_ns()
        with self._lock:
            if self._update(now_ns):
                return list(self._now.values())
        return [_now(it.last, it.state) for breaker in self._looked(now_ns) for it in breaker.instances]

    def states(self) -> list[BreakerState]:
        """
        Return every breaker over all its instances now, by env, service and breaker.

        Raises:
            StoreUnavailable: The engine is away.
        """
        now_ns = self._clock_ns()
        with self._lock:
            if self._update(now_ns):
                return [timed(state, now_ns) for state in self._grouped(now_ns).values()]
        return self._looked(now_ns)

    def states_ago(self, then_ns: int, heard: Callable[[], Mapping[Who, int]]) -> list[BreakerState] | None:
        """
        Return every breaker as it stood at *then_ns*, by env, service and breaker; ``None`` = that is too long ago, or ahead, or the tables must be asked.

        Args:
            then_ns: Nanoseconds since the epoch.
            heard: Says when each was last heard of before *then_ns*, by anything but transitions (`heard_of`).

        Raises:
            StoreUnavailable: The engine is away.
        """
        if not self._by_block or not 0 <= self._clock_ns() - then_ns <= BACK_NS:
            return None
        spoke = heard()
        with self._lock:
            now_ns = self._clock_ns()
            if now_ns - then_ns > BACK_NS or not self._update(now_ns):
                return None
            quiet = quiet_ago(self._held, self._spoke, spoke, then_ns)
            return states_ago(self._held, self._grouped(now_ns), (quiet, self._quiet), then_ns, now_ns)

    def _looked(self, now_ns: int) -> list[BreakerState]:
        return states(self._reader(), Window(now_ns, now_ns + AHEAD_NS, now_ns))

    def _reader(self) -> Reader:
        return Reader(self._store, limits=self._limits)

    def _update(self, now_ns: int) -> bool:
        """Catch up; False = the rows do not say which are new."""
        reader = self._reader()
        if self._by_block:
            self._by_block = self._refresh(reader, now_ns)
        if not self._by_block:
            return False
        self._look(now_ns)
        self._hear(reader, now_ns)
        for holder in self._dirty:
            self._tell(holder)
        self._dirty.clear()
        return True

    def _refresh(self, reader: Reader, now_ns: int) -> bool:
        mark = self._mark()
        known = self._rows >= 0 and now_ns - self._read_ns < _READ_AGAIN_NS
        if (
            known
            and mark is not None
            and mark == self._counted
            and now_ns - self._counted_ns < _COUNT_EVERY_NS
        ):
            return True
        done = self._count(reader, now_ns, known=known)
        self._counted, self._counted_ns = mark, now_ns
        return done

    def _count(self, reader: Reader, now_ns: int, *, known: bool) -> bool:
        rows = reader.rows(_COUNT)[0]["rows"]
        if known and (rows == self._rows or (rows > self._rows and self._take_new(reader, rows))):
            return True
        try:
            marks = reader.rows(_MARKS, settings=_BY_BLOCK)
        except StoreUnavailable:
            raise
        except StoreError as error:
            log.warning("breaker_rows_without_blocks", error=error.message[:200])
            return False
        self._read_all(reader, marks, now_ns)
        return True

    def _take_new(self, reader: Reader, rows: int) -> bool:
        """Read what came since; False = that is not all, or too much."""
        found = reader.rows(_NEW, self._behind(), _BY_BLOCK)
        if len(found) < rows - self._rows or len(found) == _NEW_MOST:
            return False
        for row in found:
            partition, block = row.pop("partition"), row.pop("block")
            self._blocks[partition] = max(self._blocks.get(partition, -1), block)
            self._take(Transition(**row))
        self._rows += len(found)
        return True

    def _take(self, row: Transition) -> None:
        self._held.setdefault(row.holder, Held()).take(row)
        self._dirty.add(row.holder)

    def _read_all(self, reader: Reader, marks: list[Row], now_ns: int) -> None:
        self._rows = -1
        self._blocks = {mark["partition"]: mark["block"] for mark in marks}
        self._dirty |= self._held.keys()
        self._held, self._spoke = {}, {}
        cut = sql_time(now_ns - KEPT_NS - BACK_NS)
        older = {"since": sql_time(max(now_ns - LOOK_BACK_NS - BACK_NS, 0)), "end": cut, **self._behind()}
        for last, told in newest(reader.rows(_OLDER, older, _BY_BLOCK)):
            self._held[last.holder] = Held(last=last, told=told, heard_ns=last.observed_ns)
        for row in reader.rows(_RECENT, {"since": cut, **self._behind()}, _BY_BLOCK):
            self._take(Transition(**row))
        self._dirty |= self._held.keys()
        self._rows = sum(mark["rows"] for mark in marks)
        self._read_ns, self._soonest_ns = now_ns, now_ns
        log.info("breakers_read", rows=self._rows, instances=len(self._held))

    def _behind(self) -> dict[str, object]:
        # an array may not be empty here: no partition is called "-"
        blocks = self._blocks or {"-": -1}
        return {"partitions": list(blocks), "blocks": list(blocks.values())}

    def _look(self, now_ns: int) -> None:
        """Look at whatever is new, or changed by time."""
        if now_ns >= self._soonest_ns:
            self._dirty |= {holder for holder, held in self._held.items() if held.until_ns <= now_ns}
        for holder in self._dirty & self._held.keys():
            held = self._held[holder]
            held.look(now_ns)
            who = (holder[0], holder[1])
            self._spoke[who] = max(self._spoke.get(who, 0), held.seen.heard_ns)
        if now_ns >= self._soonest_ns:
            self._soonest_ns = min((held.until_ns for held in self._held.values()), default=now_ns)
        else:
            changes = (self._held[holder].until_ns for holder in self._dirty & self._held.keys())
            self._soonest_ns = min([self._soonest_ns, *changes])

    def _hear(self, reader: Reader, now_ns: int) -> None:
        """Find who has gone quiet; the tables are asked only when somebody seems to have, and nobody is quiet before."""
        late = self._late(now_ns)
        if now_ns - self._heard_ns < self._heard_every_ns:
            late &= self._quiet
        elif late:
            if late - self._quiet:
                self._attend()
            for who, heard_ns in heard_of(reader, now_ns, now_ns + AHEAD_NS).items():
                if who in self._spoke:
                    self._spoke[who] = max(self._spoke[who], heard_ns)
            self._heard_ns = now_ns
            late = self._late(now_ns)
        turned = late ^ self._quiet
        self._quiet = late
        if turned:
            self._dirty |= {holder for holder in self._held if (holder[0], holder[1]) in turned}

    def _late(self, now_ns: int) -> frozenset[Who]:
        return frozenset(who for who, heard_ns in self._spoke.items() if heard_ns < now_ns - STALE_NS)

    def _tell(self, holder: Holder) -> None:
        held = self._held.get(holder)
        group = self._groups.setdefault(holder[:3], set())
        self._changed.add(holder[:3])
        shown = held.seen.shown if held is not None else None
        if shown is None:
            self._now.pop(holder, None)
            group.discard(holder)
        else:
            self._now[holder] = _now(shown, self._state(shown))
            group.add(holder)

    def _state(self, shown: Transition) -> str:
        return "unknown" if (shown.env, shown.service) in self._quiet else shown.to_state

    def _grouped(self, now_ns: int) -> Mapping[Breaker, BreakerState]:
        """Give every breaker, in order; those that are as they were are the same objects."""
        new = self._changed - self._states.keys()
        for breaker in self._changed:
            group = [self._held[holder].seen for holder in sorted(self._groups[breaker])]
            if group:
                self._states[breaker] = together(breaker, group, self._state, now_ns)
            else:
                self._states.pop(breaker, None)
                del self._groups[breaker]
        self._changed.clear()
        if new:
            self._states = dict(sorted(self._states.items()))
        return self._states


def _now(last: Transition, state: str) -> BreakerNow:
    since = datetime.fromtimestamp(last.at_ns / SECOND_NS, UTC)
    return BreakerNow(
        last.service,
        last.env,
        last.breaker,
        last.target,
        last.instance,
        state,
        since,
        last.reason,
        last.trace_id,
    )
