"""
A service's log file whose every line is unique, written at a bounded rate and rotated at chosen moments.

Two ways of rotation, each with its own file, because they ask for different patterns: *rename* (``orders.log*``: the
renamed files stay within the pattern, as with logrotate's default) and *copytruncate* (``orders.log`` alone: the copy is no
second original).

What copytruncate cuts off before the agent has looked is not readable by anybody. Most truncations wait until the agent
has counted every byte, so nothing is in doubt. A *racing* truncation does not wait: the lines written since the last count
are in ``doubtful``: each is stored once or not at all, and nothing else is excused.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE_S = 30.0
"""How long a truncation waits for an agent that is dead or behind before it becomes a racing one."""
SETTLE_S = 1.0
LOOK_S = 0.3
"""How often the agent's count is noted, so that a racing truncation puts little in doubt."""
TRANSITION_EVERY = 25


def body_of(unique: str) -> str:
    """What the line of *unique* says: a damaged line is told from a whole one."""
    return f"line {unique} {hashlib.md5(unique.encode(), usedforsecurity=False).hexdigest()[:12]}"


def is_transition(unique: str) -> bool:
    """Whether the line of *unique* is a breaker transition as well."""
    return int(unique.rpartition("-")[2]) % TRANSITION_EVERY == 0


def line_of(unique: str) -> bytes:
    """JSON, at times logfmt, at times a breaker's transition; the same for the same *unique*."""
    number = int(unique.rpartition("-")[2])
    level = ("info", "debug", "warn", "error")[number % 4]
    if is_transition(unique):
        fields = {"event": "circuit_breaker.transition", "breaker": unique, "from": "closed", "to": "open"}
        text = json.dumps({"level": level, "msg": body_of(unique), "unique": unique} | fields)
    elif number % 7 == 3:
        text = f'level={level} msg="{body_of(unique)}" unique={unique}'
    else:
        text = json.dumps(
            {"level": level, "msg": body_of(unique), "unique": unique, "pad": "x" * (number % 90)}
        )
    return text.encode() + b"\n"


@dataclass
class Written:
    """What a producer wrote: uniques that must be stored once, and those that may be missing."""

    certain: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)

    def bytes(self) -> tuple[int, int]:
        """Bytes of the certain lines, and of the doubtful ones."""
        return sum(len(line_of(u)) for u in self.certain), sum(len(line_of(u)) for u in self.doubtful)


class Producer:
    """
    Writes one file from a thread until ``lines`` are written or ``stop``.

    Args:
        path: The file.
        seed: Decides batch sizes, pauses within a line, which truncations race.
        per_s: Lines per second.
        rotation: ``rename``, ``copytruncate`` or none.
        every: Lines between rotations.
        counted: Bytes of this file (all its incarnations) that the agent has made durable; asked by truncations.
        lines: Where to end; none: at ``stop``.
        racing: Share of the truncations that do not wait for the agent.
        keep: Renamed files that stay; older ones are deleted. None: all.
    """

    def __init__(
        self,
        path: Path,
        *,
        seed: int = 1,
        per_s: float = 300.0,
        rotation: str | None = None,
        every: int = 1000,
        counted: Callable[[], int] | None = None,
        lines: int | None = None,
        racing: float = 0.2,
        keep: int | None = None,
    ) -> None:
        self.path = path
        self.pattern = f"{path}*" if rotation == "rename" else str(path)
        self.written = Written()
        self.rotations = 0
        self.races = 0
        self.ended = threading.Event()
        self._rng = random.Random(seed)
        self._name = path.stem
        self._per_s = per_s
        self._rotation = rotation
        self._every = every
        self._counted = counted
        self._lines = lines
        self._racing = racing
        self._keep = keep
        self._number = 0
        self._since_truncation: list[str] = []
        self._base = 0  # what the agent had counted when the file was last empty
        self._best = 0  # the most that it has ever counted: what was durable once is
        self._stopping = threading.Event()
        self._errors: list[BaseException] = []
        self._out = self._open()
        self._thread = threading.Thread(target=self._guarded, name=f"producer {self._name}", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> Written:
        """End after the line that is being written; what was written."""
        self._stopping.set()
        return self.join(PATIENCE_S + 30)

    def join(self, within_s: float) -> Written:
        """Wait for the last line; what was written."""
        self._thread.join(within_s)
        assert not self._thread.is_alive(), f"{self._name}: the producer does not end"
        if self._errors:
            raise self._errors[0]
        return self.written

    def _guarded(self) -> None:
        try:
            self._write_all()
        except BaseException as error:  # noqa: BLE001 - told to the test by join
            self._errors.append(error)
        finally:
            os.close(self._out)
            self.ended.set()

    def _write_all(self) -> None:
        began, paused, looked = time.monotonic(), 0.0, 0.0
        next_rotation = self._every
        while not self._stopping.is_set() and (self._lines is None or self._number < self._lines):
            self._write(self._rng.randint(1, 12))
            if self._rotation and self._number >= next_rotation:
                next_rotation = self._number + self._rng.randint(self._every // 2, self._every * 3 // 2)
                at = time.monotonic()
                self._rename() if self._rotation == "rename" else self._truncate()
                paused += time.monotonic() - at
            if self._counted is not None and time.monotonic() - looked > LOOK_S:
                looked = time.monotonic()
                self._count()
            ahead = self._number / self._per_s - (time.monotonic() - began - paused)
            if ahead > 0:
                self._stopping.wait(ahead)

    def _write(self, lines: int) -> None:
        uniques = [f"{self._name}-{self._number + place}" for place in range(lines)]
        data = b"".join(line_of(unique) for unique in uniques)
        cut = self._rng.randrange(len(data)) if self._rng.random() < 0.2 else 0
        self._append(data[:cut])
        if cut:
            time.sleep(0.002)  # a reader may look now: a line is not a line before its end
        self._append(data[cut:])
        self._number += lines
        self.written.certain.update(uniques)
        if self._rotation == "copytruncate":
            self._since_truncation += uniques

    def _append(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._out, data) :]

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def _rename(self) -> None:
        """``x.log.1`` to ``x.log.2`` and so on, ``x.log`` to ``x.log.1``; a little goes to the old file still."""
        older = sorted(self.path.parent.glob(f"{self.path.name}.*"), key=lambda path: -int(path.suffix[1:]))
        spare = max(0, len(older) - self._keep) if self._keep is not None else 0
        for path in older[:spare]:
            path.unlink()
        for path in older[spare:]:
            path.rename(path.with_suffix(f".{int(path.suffix[1:]) + 1}"))
        self.path.rename(f"{self.path}.1")
        self._write(self._rng.randint(0, 5) or 1)
        os.close(self._out)
        self._out = self._open()
        self.rotations += 1

    def _truncate(self) -> None:
        """Copy aside, cut to nothing; before that wait for the agent, unless this one races."""
        assert self._counted is not None, "a truncating producer has to know what was read"
        size = sum(len(line_of(unique)) for unique in self._since_truncation)
        read = (
            self._known_read(0.0) if self._rng.random() < self._racing else self._known_read(PATIENCE_S, size)
        )
        copy = self.path.parent / "copies"
        copy.mkdir(exist_ok=True)
        (copy / f"{self.path.name}.{self.rotations}").write_bytes(self.path.read_bytes())
        os.truncate(self.path, 0)
        self.rotations += 1
        if read < size:
            self.races += 1
            doubtful = self._behind(read)
            self.written.doubtful |= doubtful
            self.written.certain -= doubtful
        self._since_truncation = []
        self._base = self._settled() if read < size else self._base + size

    def _known_read(self, patience_s: float, size: int = 0) -> int:
        """Bytes of the present content that the agent has for certain, waiting for *size* of them."""
        deadline = time.monotonic() + patience_s
        while True:
            self._count()
            read = self._best - self._base
            if read >= size or time.monotonic() >= deadline:
                return max(0, read)
            time.sleep(0.1)

    def _settled(self) -> int:
        """The agent's count once it has looked at the empty file: unchanged for a second while it answers."""
        last, since = -1, time.monotonic()
        while time.monotonic() - since < SETTLE_S:
            found = self._count()
            if found < 0 or found != last:
                last, since = found, time.monotonic()
            time.sleep(0.1)
        return last

    def _count(self) -> int:
        """What the agent has counted; below every base while it is dead."""
        assert self._counted is not None
        try:
            found = self._counted()
        except OSError:
            return -1
        self._best = max(self._best, found)
        return found

    def _behind(self, read: int) -> set[str]:
        end, behind = 0, set()
        for unique in self._since_truncation:
            end += len(line_of(unique))
            if end > read:
                behind.add(unique)
        return behind
