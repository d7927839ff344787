"""Blocks of files, and a spool with its ledger, for tests of the spool."""

import os
from pathlib import Path

from backports import zstd

from agents.block import Block, FileMark, Position, Stream
from agents.ledger import Ledger
from agents.spool import Spool

FILE = Stream("checkout", "test", "logs", "file:/a.log")
MARK = FileMark("/a.log", 1, 2, 0, "")


def block(number: int, size: int = 1000) -> Block:
    """The *number*-th block of a file that is read in blocks of *size*; its body does not compress."""
    position = Position("g", number * size, (number + 1) * size, MARK)
    return Block(FILE, "/v1/lines", f"key-{number}", position, os.urandom(size))


def opened(
    home: Path, max_bytes: int = 1 << 30, when_full: str = "block", max_age_s: float = 0
) -> tuple[Spool, Ledger]:
    """Open a spool with its ledger, and save as the files source does before it reads."""
    ledger = Ledger(home / "checkpoint.json")
    spool = Spool(home / "spool", ledger, max_bytes, when_full, max_age_s)
    ledger.save()
    return spool, ledger


def put(spool: Spool, *numbers: int, size: int = 1000) -> None:
    """Append blocks, and make them durable."""
    for number in numbers:
        spool.append(block(number, size))
    spool.sync()


def shipped(spool: Spool, ledger: Ledger, most: int = 1 << 30) -> list[str]:
    """Ship at most so many of what waits: the keys, in order."""
    keys: list[str] = []
    while len(keys) < most and (taken := spool.claim(0.0)) is not None:
        assert len(zstd.decompress(taken[1])) == taken[0].raw_bytes
        keys.append(taken[0].key)
        ledger.shipped(taken[0], duplicate=False)
        spool.settled(taken[0])
    return keys


def killed(spool: Spool) -> None:
    """Let the descriptors go without another word."""
    spool._shelf.close()
