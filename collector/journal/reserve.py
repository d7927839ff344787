"""
Space set aside for the day the disk is full.

While requests are taken, ``reserve`` in the journal's directory holds ``RESERVE_BYTES`` of allocated space. When a write finds no space the
file is emptied: what must still be written to make room (seals, marks, masks, identities, temporary files of the loader) has
that much. Until it can be filled again, no request is taken; so what frees space is never starved by what needs it.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import structlog

log = structlog.get_logger()

# A seal or a mark is below 10 KB, an identity below 1 KB; a temporary file of the loader is at most a segment (8 MiB).
RESERVE_BYTES = 16 << 20


class Reserve:
    """
    The file. Thread-safe.

    Args:
        path: Of the file; made when it is held first.
        size: Bytes.
    """

    def __init__(self, path: Path, size: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size = size
        self._lock = threading.Lock()
        self._held = False

    @property
    def held(self) -> bool:
        """Whether requests may be taken."""
        return self._held

    def release(self) -> None:
        """Give the space up; what cannot even be given up (a read-only disk) is no space."""
        with self._lock:
            if self._held:
                log.warning("journal_reserve_released", bytes=self._size)
            self._held = False
            try:
                os.truncate(self._path, 0)
            except FileNotFoundError:
                return
            except OSError as error:
                log.info("journal_reserve_kept", reason=str(error))

    def hold(self) -> bool:
        """Take the space again, if as much stays free; whether it is held."""
        with self._lock:
            if not self._held:
                self._held = self._fill()
            return self._held

    def works(self) -> bool:
        """Whether the disk takes and keeps a byte: asked after trouble, when no request comes that could tell."""
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o640)
            try:
                os.pwrite(handle, b"\0", 0)
                os.fdatasync(handle)
            finally:
                os.close(handle)
        except OSError:
            return False
        return True

    def _fill(self) -> bool:
        try:
            free = os.statvfs(self._path.parent)
            if free.f_bavail * free.f_frsize < 2 * self._size:
                return False
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o640)
            try:
                os.posix_fallocate(handle, 0, self._size)
            finally:
                os.close(handle)
        except OSError:
            return False
        return True
