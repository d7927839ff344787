"""
What a power cut leaves: a recording layer under ``os.fsync``, ``os.fdatasync``, renames and deletions.

At each of these calls it notes what the disk has promised: a file's bytes when the file is synced, a directory's entries when the
directory is. ``PowerCut.image`` lays out a directory as a cut at this instant may leave it: what was promised, and of what was not,
page by page and name by name, anything between nothing and all; but a rename is one thing. Real syncs are skipped, so a test costs no disk.

A database that syncs from C (SQLite) is taken as durable as it stands: ``whole`` names such files.
"""

import os
import random
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

PAGE = 4096


class Inode:
    """A file or directory that is held open, so that its number is not used again, with what the disk has promised of it."""

    def __init__(self, source: str) -> None:
        self._descriptor = os.open(source, os.O_RDONLY)
        self.is_directory = stat.S_ISDIR(os.fstat(self._descriptor).st_mode)
        self.promised: Any = {} if self.is_directory else b""

    def now(self) -> Any:
        """The bytes of a file, or the entries of a directory (name -> inode number)."""
        if self.is_directory:
            with os.scandir(self._descriptor) as entries:
                return {entry.name: entry.inode() for entry in entries}
        return os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)

    def close(self) -> None:
        """Let it go."""
        os.close(self._descriptor)


class PowerCut:
    """
    The recorder of one directory tree.

    Args:
        root: Its own entry is taken as durable.
        at_boundary: Called before and after each recorded call.
        whole: Patterns of names whose files are durable as they stand.
    """

    def __init__(self, root: Path, at_boundary: Callable[[], None], whole: tuple[str, ...] = ()) -> None:
        self._root = root
        self._at_boundary = at_boundary
        self._whole = whole
        self._inodes: dict[int, Inode] = {}
        self._busy = False
        self._top = self._learn(str(root))

    @contextmanager
    def recording(self, patch: pytest.MonkeyPatch) -> Iterator[None]:
        """Stand under the system calls for the length of the block."""
        with patch.context() as inside:
            for name in ("fsync", "fdatasync"):
                inside.setattr(os, name, self._sync)
            for name in ("rename", "replace", "unlink", "remove"):
                inside.setattr(os, name, self._around(getattr(os, name)))
            try:
                yield
            finally:
                for inode in self._inodes.values():
                    inode.close()

    def image(self, target: Path, rng: random.Random | None) -> None:
        """Lay out in *target* what a cut now leaves: only what was promised, or with *rng* some of the rest."""
        target.mkdir()
        self._lay_out(self._top, target, rng)

    def _sync(self, descriptor: int) -> None:
        if self._busy:
            return
        self._boundary()
        inode = self._inodes[self._learn(f"/proc/self/fd/{descriptor}")]
        inode.promised = inode.now()
        if inode.is_directory:
            for name in inode.promised:
                self._learn(f"/proc/self/fd/{descriptor}/{name}")
        self._boundary()

    def _around(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(*given: Any, **more: Any) -> None:
            if self._busy:
                real(*given, **more)
                return
            self._boundary()
            real(*given, **more)
            self._boundary()

        return call

    def _boundary(self) -> None:
        self._busy = True
        try:
            self._at_boundary()
        finally:
            self._busy = False

    def _learn(self, source: str) -> int:
        number = os.stat(source).st_ino  # noqa: PTH116 - /proc/self/fd is followed
        if number not in self._inodes:
            self._inodes[number] = Inode(source)
        return number

    def _lay_out(self, number: int, target: Path, rng: random.Random | None) -> None:
        directory = self._inodes[number]
        now = directory.now()
        for name, found in self._entries(directory.promised, now, rng).items():
            if found not in self._inodes:
                self._learn(self._path_of(number, name))
            if self._inodes[found].is_directory:
                (target / name).mkdir()
                self._lay_out(found, target / name, rng)
            else:
                inode = self._inodes[found]
                left = inode.now() if self._is_whole(name) else mixture(inode.promised, inode.now(), rng)
                (target / name).write_bytes(left)

    def _entries(
        self, before: dict[str, int], now: dict[str, int], rng: random.Random | None
    ) -> dict[str, int]:
        """Choose what is left of a directory: a rename is there wholly or not at all (rename(2)), all else each by itself."""
        left: dict[str, int] = {}
        for names in together(before, now):
            late = rng is not None and rng.random() < 0.5
            for name in names:
                found = (now if late or self._is_whole(name) else before).get(name)
                if found is not None:
                    left[name] = found
        return left

    def _is_whole(self, name: str) -> bool:
        return any(fnmatch(name, pattern) for pattern in self._whole)

    def _path_of(self, number: int, name: str) -> str:
        return f"/proc/self/fd/{self._inodes[number]._descriptor}/{name}"


def together(before: dict[str, int], now: dict[str, int]) -> list[set[str]]:
    """Group the names that one rename, or several over each other, have moved an inode between."""
    groups: list[tuple[set[str], set[int]]] = []
    for name in sorted({**before, **now}):
        names, inodes = {name}, {it[name] for it in (before, now) if name in it}
        apart = []
        for other in groups:
            if other[1] & inodes:
                names |= other[0]
                inodes |= other[1]
            else:
                apart.append(other)
        groups = [*apart, (names, inodes)]
    return [names for names, _ in groups]


def mixture(promised: bytes, now: bytes, rng: random.Random | None) -> bytes:
    """Give what may be left of a file: *promised*, or page by page of it, of *now*, or of zeros where nothing was promised."""
    if rng is None or promised == now:
        return promised
    length = rng.choice([len(promised), len(now), rng.randint(*sorted((len(promised), len(now))))])
    pages = []
    for start in range(0, length, PAGE):
        choices = [now[start : start + PAGE]]
        if promised[start : start + PAGE]:
            choices.append(promised[start : start + PAGE])
        else:
            choices.append(b"")
        pages.append(rng.choice(choices).ljust(PAGE, b"\0"))
    kept = b"".join(pages)[:length]
    # a page that was promised and only appended to keeps its promised bytes
    return promised[:length] + kept[len(promised) :] if now.startswith(promised) else kept
