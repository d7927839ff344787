"""
The canary's thread: send a number, look for it, judge.

A number is *due* once everything that still waits to be loaded arrived after its acknowledgement: from then on it must be in the
tables, exactly once. So a slow or dead engine makes the canary wait, never cry. What is due and is not there in two looks is missing (a
segment handed from the journal to the loader is in neither's list for a moment). Each look covers the last hour, the first one after a
start the hour before the last number, too.

Cost: per number one request, one row, one segment of ≈ 200 bytes to load, and a look: 0.15 to 0.4 CPU-seconds, engine included.
"""

from __future__ import annotations

import platform
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from collector.canary.memory import Memory, Remembered
from collector.canary.stream import Door, send_line, send_report
from collector.errors import FuseboardError
from collector.metrics import CanaryMetrics
from collector.query.window import SECOND_NS, sql_time
from collector.read.own import OWN_SERVICE
from collector.read.sql import Reader, Store

log = structlog.get_logger()

# Lines gather for a second; where somebody reads they are loaded then, else whoever looks has them loaded and waits for that. The other looks come at a
# pace nobody feels.
_FIRST_LOOK_S, _LOOK_S = 1.3, 0.5
_WINDOW = timedelta(hours=1)
_REPORT_S = 60.0

_FOUND = """
SELECT count() AS lines, uniqExact(number) AS numbers, min(number) AS lowest, max(number) AS highest,
       uniqExactIf(number, number <= {due:UInt64}) AS settled, max(occurred_at) AS last_at
FROM (SELECT toUInt64OrZero(attributes['canary.number']) AS number, occurred_at FROM logs
      WHERE service = {service:String} AND env = '' AND occurred_at >= {since:DateTime64(9, 'UTC')}
        AND attributes['canary.instance'] = {instance:String})
LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What ``/api/v1/pipeline`` says of the canary.

    Attributes:
        state: off, starting, ok, waiting, refused, missing, duplicated.
        sent: Numbers begun since the stream was.
        last_stored: When the newest stored line was made.
        latency_s: From the last 2xx to the look that found its line.
        missing: Numbers of the last hour that were acknowledged and are not there.
        duplicated: Lines of the last hour beyond the first of each number.
        reason: Why it waits or was refused.
    """

    state: str
    instance: str = ""
    sent: int = 0
    last_stored: str | None = None
    latency_s: float | None = None
    missing: int = 0
    duplicated: int = 0
    reason: str | None = None

    def row(self) -> dict[str, Any]:
        """Give the API's shape."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class _Seen:
    """What the last looks found."""

    highest: int = 0
    lines: int = 0
    numbers: int = 0
    last_at: str | None = None
    missing: int = 0
    suspected: int = 0
    latency_s: float | None = None
    trouble: str | None = None


@dataclass(slots=True)
class _Flight:
    """Numbers by when they were acknowledged, the oldest first."""

    acknowledged: deque[tuple[int, int, datetime]] = field(default_factory=deque)

    def due(self, before: int) -> int:
        """Give the highest number acknowledged before *before* (epoch nanoseconds), forgetting the lower ones; 0 = none."""
        while len(self.acknowledged) > 1 and self.acknowledged[1][1] < before:
            self.acknowledged.popleft()
        return self.acknowledged[0][0] if self.acknowledged and self.acknowledged[0][1] < before else 0


class Canary:
    """
    Sends and judges; `listen` starts it.

    Args:
        memory: The last number.
        store: ClickHouse.
        metrics: Gauges and counters.
        interval_s: Seconds between numbers; 0 = off.
        unloaded_ns: When the first line arrived that is not loaded yet, epoch nanoseconds; ``None`` = all are.
        secret: Key of our own for the front door; "" = none is required.
        attend: Called before each look: lines that wait for a reader are loaded then.
    """

    def __init__(
        self,
        memory: Memory,
        store: Store,
        metrics: CanaryMetrics,
        interval_s: float,
        unloaded_ns: Callable[[], int | None],
        secret: str = "",
        attend: Callable[[], object] = lambda: None,
    ) -> None:
        self._memory = memory
        self._reader = Reader(store)
        self._metrics = metrics
        self._interval_s = interval_s
        self._unloaded_ns = unloaded_ns
        self._secret = secret
        self._attend = attend
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._flight = _Flight()
        self._seen = _Seen()
        self._refusal: str | None = None
        self._last: Remembered | None = None
        self._since = datetime.now(UTC)
        self._started_at = datetime.now(UTC)
        self._reported = 0.0
        self._told = ""

    def listen(self, host: str, port: int) -> None:
        """Begin, now that the collector listens on *host* and *port*."""
        if self._interval_s <= 0:
            return
        inside = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        door = Door(inside, port, self._secret)
        self._thread = threading.Thread(target=self._run, args=(door,), name="canary", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; a number on its way is sent again at the next start."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=3.0)

    def verdict(self) -> Verdict:
        """Judge what is known now; asks nobody."""
        last, seen = self._last, self._seen
        if self._interval_s <= 0:
            return Verdict("off")
        if last is None:
            return Verdict("starting", reason=self._refusal)
        state, reason = self._state(last, seen)
        return Verdict(
            state,
            last.instance,
            last.number,
            seen.last_at,
            seen.latency_s,
            seen.missing,
            seen.lines - seen.numbers,
            reason,
        )

    def _state(self, last: Remembered, seen: _Seen) -> tuple[str, str | None]:
        """Give the state and why; what is wrong with the data comes before what keeps us from knowing."""
        waited_s = (datetime.now(UTC) - last.sent_at).total_seconds()
        behind = last.number - seen.highest
        late = behind > 1 or (behind == 1 and waited_s > self._interval_s)
        for applies, state, reason in (
            (seen.missing, "missing", None),
            (seen.lines > seen.numbers, "duplicated", None),
            (self._refusal, "refused", self._refusal),
            (seen.trouble, "waiting", seen.trouble),
            (not seen.highest, "starting", None),
            (late, "waiting", f"{behind} acknowledged lines are not loaded yet"),
        ):
            if applies:
                return state, reason
        return "ok", None

    def _run(self, door: Door) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._round(door, began + self._interval_s)
            except FuseboardError as error:
                self._refusal = error.message
            except Exception:
                log.exception("canary_failed")
                self._refusal = "the canary itself failed; the collector's log says how"
            self._tell()
            self._stopping.wait(max(0.0, began + self._interval_s - time.monotonic()))

    def _round(self, door: Door, until: float) -> None:
        """Send the next number (or the last one again, until it is acknowledged), then look for it until it is time for another."""
        sent = self._next()
        send_line(door, sent)
        self._refusal = None
        acknowledged = time.monotonic()
        self._flight.acknowledged.append((sent.number, time.time_ns(), sent.sent_at))
        self._metrics.sent.inc()
        if acknowledged - self._reported >= _REPORT_S:
            send_report(door, sent, self._started_at, host=platform.node())
            self._reported = acknowledged
        self._look_until_found(sent.number, acknowledged, until)

    def _next(self) -> Remembered:
        if self._last is None:
            self._last = self._memory.recall()
            self._since = self._last.sent_at - _WINDOW if self._last.number else self._since - _WINDOW
        else:
            newest = self._flight.acknowledged[-1][0] if self._flight.acknowledged else 0
            if newest < self._last.number:
                return self._last  # not acknowledged: the same number again
        if not self._flight.acknowledged and self._last.number:
            return self._last  # after a start: whether the last one was taken, only the collector knows
        self._last = self._memory.advance(self._last)
        return self._last

    def _look_until_found(self, number: int, acknowledged: float, until: float) -> None:
        self._stopping.wait(_FIRST_LOOK_S)
        while not self._stopping.is_set():
            self._look()
            if self._seen.trouble is not None:
                return
            if self._seen.highest >= number:
                self._seen.latency_s = round(time.monotonic() - acknowledged, 3)
                self._metrics.latency.observe(self._seen.latency_s)
                return
            if time.monotonic() + _LOOK_S >= until:
                return
            self._stopping.wait(_LOOK_S)

    def _look(self) -> None:
        """Count what is there; what is due and is not is missing."""
        self._attend()
        assert self._last is not None
        unloaded_ns = self._unloaded_ns()
        due = self._flight.due(time.time_ns() if unloaded_ns is None else unloaded_ns)
        params = {
            "due": due,
            "service": OWN_SERVICE,
            "since": sql_time(int(self._since.timestamp() * SECOND_NS)),
            "instance": self._last.instance,
        }
        try:
            (row,) = self._reader.rows(_FOUND, params)
        except FuseboardError as error:
            self._seen.trouble = error.message
            return
        self._take(row, due)
        self._since = min(datetime.now(UTC) - _WINDOW, self._oldest())

    def _oldest(self) -> datetime:
        """Say when the oldest number was made that is not judged yet."""
        return min((at for _, _, at in self._flight.acknowledged), default=datetime.now(UTC))

    def _take(self, row: dict[str, Any], due: int) -> None:
        seen = self._seen
        stored = max(row["highest"] - seen.highest, 0) if seen.highest else row["numbers"]
        expected = max(due - row["lowest"] + 1, 0) if row["numbers"] else int(due > 0)
        suspected = max(expected - row["settled"], 0)
        self._seen = _Seen(
            highest=row["highest"],
            lines=row["lines"],
            numbers=row["numbers"],
            last_at=row["last_at"] if row["numbers"] else seen.last_at,
            missing=min(suspected, seen.suspected),
            suspected=suspected,
            latency_s=seen.latency_s,
        )
        self._metrics.stored.inc(stored)
        self._metrics.missing.set(self._seen.missing)
        self._metrics.duplicated.set(self._seen.lines - self._seen.numbers)

    def _tell(self) -> None:
        """Log a change of state once: what is lost or doubled is an error, the rest is not."""
        verdict = self.verdict()
        if verdict.state == self._told:
            return
        self._told = verdict.state
        say = log.error if verdict.state in {"missing", "duplicated"} else log.info
        say(
            "canary",
            state=verdict.state,
            missing=verdict.missing,
            duplicated=verdict.duplicated,
            reason=verdict.reason,
        )
