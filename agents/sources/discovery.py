"""
Which files there are to follow: glob patterns, exclusions, and files that were renamed while nobody looked.

A directory is listed again when its mtime has changed (a name was made, renamed or removed) and each 30 s, for what
changes no mtime: so looking at 5,000 files each second costs one stat per directory. Symbolic links are looked through
each time. Patterns are as ``glob`` has them: ``*``, ``?``, ``[…]``, ``**`` for any depth (not through links); hidden names match only
a pattern that begins with a dot.
"""

import fnmatch
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from agents.sources.identity import Inode

RELIST_S = 30.0
RACY_NS = (
    50_000_000  # a directory changed so shortly before it was listed may change again under the same mtime
)
COMPRESSED = (
    ".gz",
    ".zst",
    ".bz2",
    ".xz",
    ".lz4",
    ".zip",
)  # rotated and packed: their lines were read already


@dataclass(slots=True)
class Listing:
    """One directory: subdirectories, files by name (None: a link, to be looked through), and answers made from them."""

    stamp: int
    listed_at: float
    directories: list[str] = field(default_factory=list)
    files: dict[str, tuple[int, Inode | None]] = field(default_factory=dict)
    answers: dict[tuple[str, tuple[str, ...]], list[str]] = field(default_factory=dict)


class Finder:
    """Finds files, remembering directories; used by one thread."""

    def __init__(self) -> None:
        self._listings: dict[str, Listing] = {}

    def find(self, pattern: str, exclude: Sequence[str]) -> Iterator[tuple[str, Inode]]:
        """Give path and identity of the regular files of *pattern*, without excluded and compressed ones."""
        base = "/" if pattern.startswith("/") else ""
        parts = [part for part in pattern.split("/") if part]
        if parts and parts[-1] == "**":
            parts.append("*")
        yield from self._walk(base, parts, tuple(exclude))

    def _walk(self, base: str, parts: list[str], exclude: tuple[str, ...]) -> Iterator[tuple[str, Inode]]:
        part, rest = parts[0], parts[1:]
        if not rest:
            yield from self._files(base, part, exclude)
        elif part == "**":
            yield from self._walk(base, rest, exclude)
            for name in self._directories(base, "*"):
                if not os.path.islink(base + name):  # noqa: PTH114
                    yield from self._walk(f"{base}{name}/", parts, exclude)
        elif has_magic(part):
            for name in self._directories(base, part):
                yield from self._walk(f"{base}{name}/", rest, exclude)
        else:
            yield from self._walk(f"{base}{part}/", rest, exclude)

    def _files(self, base: str, part: str, exclude: tuple[str, ...]) -> Iterator[tuple[str, Inode]]:
        if not has_magic(part):
            if is_wanted(base + part, exclude) and (identity := identity_of(base + part)):
                yield base + part, identity
            return
        listing = self._listing(base)
        names = listing.answers.get((part, exclude))
        if names is None:
            names = [name for name in _matching(listing.files, part) if is_wanted(base + name, exclude)]
            listing.answers[part, exclude] = names
        for name in names:
            identity = listing.files[name][1] or identity_of(base + name)
            if identity:
                yield base + name, identity

    def _directories(self, base: str, part: str) -> list[str]:
        return _matching(self._listing(base).directories, part)

    def _listing(self, base: str) -> Listing:
        """List *base* unless what is known of it is still true; empty where it cannot be read."""
        known = self._listings.get(base)
        now = time.monotonic()
        try:
            stamp = os.stat(base or ".").st_mtime_ns  # noqa: PTH116
        except OSError:
            self._listings.pop(base, None)
            return Listing(0, now)
        if known is not None and known.stamp == stamp and now - known.listed_at < RELIST_S:
            return known
        settled = abs(time.time_ns() - stamp) > RACY_NS
        listing = _listed(base, known)
        listing.stamp = stamp if settled else -1
        self._listings[base] = listing
        return listing


def has_magic(part: str) -> bool:
    """Say whether a part of a pattern is more than a name."""
    return any(character in part for character in "*?[")


def is_wanted(path: str, exclude: Sequence[str]) -> bool:
    """Say whether a path is neither excluded nor that of a compressed file."""
    return not path.endswith(COMPRESSED) and not any(fnmatch.fnmatch(path, one) for one in exclude)


def identity_of(path: str) -> Inode | None:
    """Give device and inode of what is at *path*, through links; None when it is no regular file."""
    try:
        state = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return (state.st_dev, state.st_ino) if stat.S_ISREG(state.st_mode) else None


def matches(pattern: str, path: str) -> bool:
    """Say whether *pattern* names *path*, whatever is there."""
    return _is_match(
        [part for part in pattern.split("/") if part], [part for part in path.split("/") if part]
    )


def inodes(directory: str) -> dict[int, list[str]]:
    """Give the paths of the regular files of *directory* by inode; empty where it cannot be read."""
    found: dict[int, list[str]] = {}
    try:
        with os.scandir(directory or ".") as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    found.setdefault(entry.inode(), []).append(os.path.join(directory, entry.name))  # noqa: PTH118
    except OSError:
        return found
    return found


def _listed(base: str, known: Listing | None) -> Listing:
    """List a directory; of names that have kept their inode nothing is asked again."""
    before = known.files if known is not None else {}
    listing = Listing(0, time.monotonic())
    try:
        with os.scandir(base or ".") as found:
            entries = sorted(found, key=_name_of)
    except OSError:
        return listing
    for entry in entries:
        inode = entry.inode()
        if entry.is_symlink():
            _put_link(listing, base, entry)
        elif entry.is_dir():
            listing.directories.append(entry.name)
        elif entry.is_file():
            former = before.get(entry.name)
            identity = former[1] if former and former[0] == inode else identity_of(base + entry.name)
            if identity:
                listing.files[entry.name] = (inode, identity)
    return listing


def _put_link(listing: Listing, base: str, entry: os.DirEntry[str]) -> None:
    if os.path.isdir(base + entry.name):  # noqa: PTH112
        listing.directories.append(entry.name)
    else:
        listing.files[entry.name] = (entry.inode(), None)


def _name_of(entry: os.DirEntry[str]) -> str:
    return entry.name


def _matching(names: "Sequence[str] | dict[str, tuple[int, Inode | None]]", part: str) -> list[str]:
    is_match = _matcher(part)
    return [name for name in names if is_match(name)]


def _matcher(part: str) -> Callable[[str], object]:
    whole = re.compile(fnmatch.translate(part)).match
    return whole if part.startswith(".") else lambda name: not name.startswith(".") and whole(name)


def _is_match(parts: list[str], names: list[str]) -> bool:
    if not parts or not names:
        return not parts and not names
    if parts[0] == "**":
        return _is_match(parts[1:], names) or _is_match(parts, names[1:])
    return bool(_matcher(parts[0])(names[0])) and _is_match(parts[1:], names[1:])
