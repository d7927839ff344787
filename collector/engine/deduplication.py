"""
What a table remembers of its inserts (``deduplication_logs/``), made to agree with its parts before the database is opened.

An INSERT writes a line ``1<TAB>part<TAB>block id`` and then moves the part to its place. Neither waits for the disk, and between the two lies a
tenth of a millisecond, so a process or a machine that dies just then leaves one of

- a line whose part never came: the INSERT is sent again, taken for a repeat, and its rows are lost;
- after a power cut, a part whose line never came: the INSERT is sent again and its rows are there twice;
- half a line, or zeros: ClickHouse reads up to there, and forgets every line after it.

`repair` takes such a line back, sets such a part aside and cuts such a tail off. That is right because nobody was told of these inserts: `Logs.sync`
brings the lines to the disk before an INSERT is answered. Only the newest lines and parts are judged: what is older was answered long ago,
and its parts may have been merged, dropped or moved since.

Source: ClickHouse, src/Storages/MergeTree/MergeTreeDeduplicationLog.cpp and MergeTreeSink.cpp (26.9).
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

# More than may be written at one time: a few inserts, each into a few partitions of a table.
_NEWEST = 256
_PART = re.compile(r"(?P<partition>[^_]+)_(?P<first>\d+)_(?P<last>\d+)_(?P<level>\d+)(?P<mutation>_\d+)?\Z")
_LINE = re.compile(rb"([12])\t([^\t\n\x00]+)\t([^\t\n\x00]+)\n\Z")
_LOG_NUMBER = re.compile(r"deduplication_log_(\d+)\.txt\Z")
_ASIDE = "unanswered_"


@dataclass(frozen=True, slots=True)
class Part:
    """A part's name taken apart; ``first`` to ``last`` are the numbers of the blocks in it."""

    partition: str
    first: int
    last: int
    level: int
    mutated: bool

    @classmethod
    def named(cls, name: str) -> Self | None:
        """Read a directory's name; ``None`` = no part."""
        found = _PART.match(name)
        if found is None:
            return None
        return cls(
            found["partition"],
            int(found["first"]),
            int(found["last"]),
            int(found["level"]),
            bool(found["mutation"]),
        )

    def holds(self, other: Part) -> bool:
        """Say whether *other* is this part or was merged into it."""
        return self.partition == other.partition and self.first <= other.first and other.last <= self.last


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was done: lines taken back, parts set aside, logs whose tail was cut off."""

    lines: int = 0
    parts: int = 0
    tails: int = 0

    def __add__(self, other: Repaired) -> Repaired:
        return Repaired(self.lines + other.lines, self.parts + other.parts, self.tails + other.tails)

    def __bool__(self) -> bool:
        return self != Repaired()


def repair(database: Path) -> Repaired:
    """
    Make the newest lines and parts of every table agree.

    Args:
        database: Directory of the database; nothing is done to one that somebody has open, or that is not there yet.

    Returns:
        What was done.
    """
    done = Repaired()
    if not (database / "status").exists():
        return done
    with _alone(database) as alone:
        for table in _tables(database) if alone else ():
            done += _repair_table(table)
    return done


def _tables(database: Path) -> Iterator[Path]:
    """Every directory with a ``deduplication_logs``: by name in ``data``, by UUID in ``store``."""
    for folder in (
        *database.glob("data/*/*/deduplication_logs"),
        *database.glob("store/*/*/deduplication_logs"),
    ):
        if folder.is_dir() and not folder.parent.is_symlink():
            yield folder.parent


def _repair_table(table: Path) -> Repaired:
    logs = _logs(table)
    if not logs:
        return Repaired()
    tails = sum(_cut_tail(log) for log in logs)
    told: dict[str, bytes] = {}
    for line in (line for log in logs for line in log.read_bytes().splitlines(keepends=True)):
        kind, name, block = _LINE.match(line).groups()  # type: ignore[union-attr]
        if kind == b"1":
            told[name.decode()] = block
        else:
            told.pop(name.decode(), None)
    there = {
        entry.name: part for entry in os.scandir(table) if entry.is_dir() and (part := Part.named(entry.name))
    }
    newest = list(told)[-_NEWEST:]
    absent = [name for name in newest if not _is_held(Part.named(name), there)]
    unknown = [name for name in there if name not in told and _is_newest(there[name], newest)]
    if absent:
        _take_back(logs[-1], [(name, told[name]) for name in absent])
    for name in unknown:
        _set_aside(table, name)
    return Repaired(len(absent), len(unknown), tails)


def _logs(table: Path) -> list[Path]:
    found = [
        (int(name[1]), path)
        for path in (table / "deduplication_logs").iterdir()
        if (name := _LOG_NUMBER.match(path.name))
    ]
    return [path for _, path in sorted(found)]


def _cut_tail(log: Path) -> bool:
    """Cut *log* before its first line that is none."""
    good = 0
    with log.open("r+b") as file:
        for line in file:
            if not _LINE.match(line):
                break
            good += len(line)
        else:
            return False
        file.truncate(good)
        os.fsync(file.fileno())
    return True


def _is_held(part: Part | None, there: dict[str, Part]) -> bool:
    return part is None or any(each.holds(part) for each in there.values())


def _is_newest(part: Part, newest: list[str]) -> bool:
    """Say whether *part* came from one insert, at about the time of the *newest* lines or after them."""
    if (
        part.level > 1 or part.mutated or part.first != part.last
    ):  # 1: rows of an aggregating table are merged as they come
        return False
    since = min((known.first for name in newest if (known := Part.named(name))), default=0)
    return part.first >= since


def _take_back(log: Path, lines: list[tuple[str, bytes]]) -> None:
    with log.open("ab") as file:
        file.writelines(b"2\t%s\t%s\n" % (name.encode(), block) for name, block in lines)
        file.flush()
        os.fsync(file.fileno())


def _set_aside(table: Path, name: str) -> None:
    """Move a part to ``detached``, where ClickHouse leaves it alone and `system.detached_parts` shows it."""
    aside = table / "detached"
    aside.mkdir(exist_ok=True)
    (table / name).rename(aside / f"{_ASIDE}{name}")
    for folder in (aside, table):
        handle = os.open(folder, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


class Logs:
    """
    The logs of an open database.

    Args:
        database: Its directory.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._folders: list[str] | None = None
        self._lengths: dict[str, int] = {}
        self._lock = threading.Lock()

    def forget_tables(self) -> None:
        """Look for tables again at the next `sync`: there may be a new one."""
        self._folders = None

    def sync(self) -> None:
        """Bring every line written since the last call to the disk; costs a quarter of a millisecond and one fsync per table written to."""
        with self._lock:
            folders = self._folders
            if folders is None:
                folders = self._folders = [f"{table}/deduplication_logs" for table in _tables(self._database)]
            for folder in folders:
                with suppress(FileNotFoundError):  # a table that was dropped
                    self._sync_folder(folder)

    def _sync_folder(self, folder: str) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                length = entry.stat().st_size
                if self._lengths.get(entry.path) != length:
                    _fsync(entry.path)
                    self._lengths[entry.path] = length


def _fsync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _alone(database: Path) -> Iterator[bool]:
    """Hold the lock that an open database holds; gives whether it was free."""
    with (database / "status").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
