"""Files as bytes and lines, compressed ones too."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from collector.replay.parcel import Unreadable

COMPRESSED = (".gz", ".zst")
# One record is never this long; one that is, is a file that was not cut into lines.
LINE_BYTES = 16 << 20


def plain_name(path: Path) -> str:
    """Give the file's name without what says how it is compressed."""
    return path.name.removesuffix(path.suffix) if path.suffix in COMPRESSED else path.name


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """
    Open *path* for reading, decompressed.

    Raises:
        Unreadable: It cannot be read, or is not compressed as its name says; also while it is read.
    """
    from backports import zstd

    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rb") as stream:
                yield cast("IO[bytes]", stream)
        elif path.suffix == ".zst":
            with zstd.open(path, "rb") as stream:
                yield cast("IO[bytes]", stream)
        else:
            with path.open("rb") as stream:
                yield stream
    except (OSError, EOFError, zlib.error, zstd.ZstdError) as error:
        raise Unreadable(f"cannot be read: {error}") from error


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """
    Yield number (from 1) and bytes of each line that is not blank, without its end.

    Raises:
        Unreadable: As `opened`; or a line is longer than `LINE_BYTES`.
    """
    with opened(path) as stream:
        number = 0
        while line := stream.readline(LINE_BYTES + 1):
            number += 1
            if len(line) > LINE_BYTES:
                raise Unreadable(f"line {number} is longer than {LINE_BYTES >> 20} MiB")
            if line.strip():
                yield number, line.rstrip(b"\r\n")


def whole(path: Path) -> bytes:
    """
    Return the file.

    Raises:
        Unreadable: As `opened`; or it is empty.
    """
    with opened(path) as stream:
        body = stream.read()
    if not body.strip():
        raise Unreadable("is empty")
    return body
