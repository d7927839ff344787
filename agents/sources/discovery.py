"""Which files there are to follow: glob patterns, exclusions, and files that were renamed while nobody looked."""

import fnmatch
import glob
import os
from collections.abc import Iterable
from pathlib import Path

from agents.settings_values import FilesSettings

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
        for path in sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - patterns are plain text
        if not path.endswith(COMPRESSED)
        and not any(fnmatch.fnmatch(path, excluded) for excluded in settings.exclude)
        and Path(path).is_file()
    ]


def renamed(path: str, device: int, inode: int) -> str | None:
    """Find the file that once was *path* under its new name in the same directory."""
    for entry in _entries(Path(path).parent):
        if entry.inode() == inode and entry.is_file() and entry.stat().st_dev == device:
            return entry.path
    return None


def _entries(directory: Path) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError:
        return ()
