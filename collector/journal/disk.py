"""What the journal asks of the disk: whole writes, durable directory entries, and an error that says what clients should do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from collector.errors import JournalError, JournalFull

NO_SPACE = frozenset({errno.EFBIG, errno.ENOSPC, errno.EDQUOT})


def write_all(handle: int, data: bytes) -> None:
    """Write everything, however many calls that takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def begin_writing(handle: int, start: int) -> None:
    """
    Let the kernel begin to write what stands behind *start*, without waiting for it and without promising anything.

    What is synced together is written together: of two small files the second's sync then finds its bytes and its inode in the file system's
    commit for the first (measured on ext4: seven waits of a pair become five; docs/adr/0008). Other systems do without.
    """
    advise = getattr(os, "posix_fadvise", None)
    if advise is not None:
        advise(handle, start, 0, os.POSIX_FADV_DONTNEED)


def append_whole(handle: int, line: bytes) -> None:
    """Append *line* durably, or leave the file as it was: half a line would hide the next."""
    size = os.fstat(handle).st_size
    try:
        write_all(handle, line)
        os.fdatasync(handle)
    except OSError:
        os.ftruncate(handle, size)
        raise


def truncate(path: Path, length: int) -> None:
    """Cut a file to *length* bytes, durably."""
    with path.open("r+b") as file:
        file.truncate(length)
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make creations, renames and deletions in *folder* durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def journal_error(error: OSError) -> JournalError:
    """Translate what the disk said: no space is 429, anything else 503."""
    if error.errno in NO_SPACE:
        return JournalFull("journal_full", f"no space left for the journal: {error}", retry_after_s=5)
    return JournalError("journal_unavailable", f"the journal cannot be written: {error}", retry_after_s=5)
