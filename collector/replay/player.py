"""
The replay itself: parcels of all files in the order of their times, each when it is due.

The recording ends when the replay does: with ``--shift now`` its last record is of the moment at which it is sent, so at any speed no record is of the future.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from collector.replay.journey import Journey, Logbook
from collector.replay.parcel import SECOND_NS, Extent, Move, Parcel, Recording
from collector.replay.sender import Answer

# How often the way is written down: a start anew sends at most so much again, to be told that it is there.
_KEEP_S = 1.0
# As fast as it goes, bodies may be of ten minutes; paced, of a second of the replay.
_STEP_S, _STEP_MOST_S = 1.0, 600.0
MAX_SPEED = 0.0


@dataclass(slots=True)
class Tally:
    """What has been sent."""

    parcels: int = 0
    records: int = 0
    bytes: int = 0
    duplicates: int = 0
    rejected: list[str] = field(default_factory=list)
    by_path: dict[str, int] = field(default_factory=dict)

    def add(self, parcel: Parcel, name: str, answer: Answer) -> None:
        """Count one answer."""
        self.parcels += 1
        self.bytes += len(parcel.body)
        if answer.rejected:
            self.rejected.append(f"{name}: {answer.rejected}")
            return
        self.duplicates += answer.duplicate
        self.records += parcel.records
        self.by_path[parcel.path] = self.by_path.get(parcel.path, 0) + parcel.records


class Sends(Protocol):
    """The part of `Sender` that is used."""

    def send(self, parcel: Parcel, key: str) -> Answer:
        """Send until answered."""


def plan(extent: Extent, speed: float, shift: str | int, asked: dict[str, str], now_ns: int) -> Journey:
    """
    Decide how times are moved.

    Args:
        extent: Of all files together.
        speed: Recorded seconds per second; `MAX_SPEED` = without waiting.
        shift: ``now``, or nanoseconds.
        asked: The options, to know this replay again.
        now_ns: Epoch nanoseconds.
    """
    length_ns = extent.last_ns - extent.first_ns
    lasts_ns = int(length_ns / speed) if speed else 0
    shift_ns = now_ns + lasts_ns - extent.last_ns if shift == "now" else int(shift)
    step_s = min(max(_STEP_S * speed, _STEP_S), _STEP_MOST_S) if speed else _STEP_MOST_S
    return Journey(asked, shift_ns if extent.last_ns else 0, int(step_s * SECOND_NS), now_ns)


def merged(recordings: Sequence[Recording], move: Move) -> Iterator[tuple[Path, Parcel]]:
    """Give the parcels of all files by time; those without one come with the one before them in their file."""

    def timed(place: int, recording: Recording) -> Iterator[tuple[int, int, int, Parcel]]:
        at_ns = 0
        for number, parcel in enumerate(recording.parcels(move)):
            at_ns = parcel.at_ns or at_ns
            yield at_ns, place, number, parcel

    streams = [timed(place, recording) for place, recording in enumerate(recordings)]
    for _, place, _, parcel in heapq.merge(*streams, key=lambda each: each[:3]):
        yield recordings[place].path, parcel


@dataclass(frozen=True, slots=True)
class Player:
    """
    Plays recordings into a collector.

    Attributes:
        sender: The way to it.
        logbook: Where the way is written down.
        folder: The replayed folder: files are named from it on.
        clock_ns: Epoch nanoseconds.
        pause: Waits some seconds.
    """

    sender: Sends
    logbook: Logbook
    folder: Path
    clock_ns: Callable[[], int] = time.time_ns
    pause: Callable[[float], None] = time.sleep

    def play(
        self,
        recordings: Sequence[Recording],
        journey: Journey,
        extent: Extent,
        speed: float,
        told: Callable[[Tally, int], None],
    ) -> Tally:
        """
        Send everything; *told* hears of each parcel: what was sent so far, and up to which recorded time.

        Raises:
            TerminalError: The collector does not answer any more, or will take nothing.
            Unreadable: A file changed under our hands.
        """
        tally, kept_ns = Tally(), self.clock_ns()
        self.logbook.keep(journey)
        seen = 0
        for path, parcel in merged(recordings, Move(journey.shift_ns, journey.step_ns)):
            seen += 1
            if seen <= journey.sent:
                continue
            self._wait(parcel, journey, extent, speed)
            name = path.relative_to(self.folder).as_posix() if path != self.folder else path.name
            tally.add(parcel, name, self.sender.send(parcel, parcel.key(name)))
            told(tally, parcel.at_ns)
            now_ns = self.clock_ns()
            if now_ns - kept_ns > _KEEP_S * SECOND_NS:
                journey.sent, kept_ns = seen, now_ns
                self.logbook.keep(journey)
        self.logbook.forget()
        return tally

    def _wait(self, parcel: Parcel, journey: Journey, extent: Extent, speed: float) -> None:
        if not speed or not parcel.at_ns:
            return
        due_ns = journey.began_ns + int((parcel.at_ns - extent.first_ns) / speed)
        # parcels hold what follows their first record: they go when that is over
        late_ns = due_ns + int(journey.step_ns / speed) - self.clock_ns()
        if late_ns > 0:
            self.pause(late_ns / SECOND_NS)
