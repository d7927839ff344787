"""
Disks that are full, read-only or failing: a small tmpfs, and a layer that fails system calls.

The tmpfs needs root, as the machine of ``make test`` has. The layer fails what is written through ``os``, which is how spool
and journal write.
"""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class SmallDisk:
    """
    A mounted tmpfs.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filling = path / "of-somebody-else"

    def fill(self) -> None:
        """Another program takes all the space there is."""
        handle = os.open(self._filling, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            for size in (1 << 16, 1):
                while True:
                    if os.write(handle, b"x" * size) < size:
                        break
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017 - the end of the space is what is wanted
        finally:
            os.close(handle)

    def empty(self) -> None:
        """It lets go of it."""
        self._filling.unlink(missing_ok=True)


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[SmallDisk]:
    """Mount a tmpfs of *size* (``2m``) at *path* for the length of the block."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True)
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "-l", path], check=True)


class Refusing:
    """
    A layer over ``os`` that fails writing calls with an error number while it is set.

    Attributes:
        number: ``errno.EROFS``, ``ENOSPC``, ``EIO``; None = works.
        calls: Which calls it fails.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.number: int | None = None
        self.calls: frozenset[str] = WRITING
        self.refused = 0
        for name in WRITING:
            patch.setattr(os, name, self._around(name, getattr(os, name)))

    def fail(self, number: int, *calls: str) -> None:
        """Begin to fail *calls*, all writing ones when none is named."""
        self.number, self.calls = number, frozenset(calls) or WRITING

    def work(self) -> None:
        """End the trouble."""
        self.number = None

    def _around(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            reads = name == "open" and not given[1] & (os.O_WRONLY | os.O_RDWR)
            if self.number is None or name not in self.calls or reads:
                return real(*given, **more)
            self.refused += 1
            raise OSError(self.number, os.strerror(self.number))

        return call


WRITING = frozenset(
    {"open", "write", "pwrite", "ftruncate", "truncate", "fsync", "fdatasync", "rename", "replace", "unlink"}
)
