"""Which files there are to follow: glob patterns, exclusions, and files that were renamed while nobody looked."""

import fnmatch
import glob
import os
from collections.abc import Iterable

from agents.settings import FilesSettings

COMPRESSED = (
    ".gz",
    ".zst",
    ".bz2",
    ".xz",
    ".lz4",
    ".zip",
)  # rotated and packed: their lines have been read already


def matching(settings: FilesSettings, pattern: str) -> list[str]:
    """List the regular files of one pattern, without excluded and compressed ones."""
    return [
        path
        for path in sorted(glob.glob(pattern, recursive=True))
        if not path.endswith(COMPRESSED)
        and not any(fnmatch.fnmatch(path, excluded) for excluded in settings.exclude)
        and os.path.isfile(path)
    ]


def renamed(path: str, device: int, inode: int) -> str | None:
    """Find the file that once was *path* under its new name in the same directory."""
    for entry in _entries(os.path.dirname(path) or "."):
        if entry.inode() == inode and entry.is_file() and entry.stat().st_dev == device:
            return entry.path
    return None


def _entries(directory: str) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError:
        return ()
