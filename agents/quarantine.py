"""
Blocks that a collector has rejected for good, kept for a person to look at.

One file per block, ``quarantine/<sequence>.frame``: a spool frame (layout in ``frame``) whose headers also hold
``Fuseboard-Rejected``, what the collector said. Written whole before the block is settled; a kill between the two
rewrites the same file. Beyond ``MAX_BYTES`` the oldest go.
"""

from dataclasses import replace
from pathlib import Path

from agents.checkpoint import sync_directory
from agents.client import Answer
from agents.frame import FrameHead, encode

MAX_BYTES = 64 << 20
SAID_BYTES = 500  # of the collector's answer: enough for its error object


class Quarantine:
    """The directory of rejected blocks."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, head: FrameHead, body: bytes, answer: Answer) -> Path:
        """
        Keep a rejected block.

        Raises:
            OSError: The disk refuses; the block is not settled.
        """
        said = f"{answer.status} {answer.body[:SAID_BYTES].decode(errors='replace')}"
        marked = replace(head, headers=head.headers | {"Fuseboard-Rejected": said})
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f"{head.sequence:016d}.frame"
        beside = path.with_suffix(".new")
        beside.write_bytes(encode(marked, body))
        beside.replace(path)
        sync_directory(self._directory)
        self._bound()
        return path

    def _bound(self) -> None:
        files = sorted(self._directory.glob("*.frame"))
        sizes = [file.stat().st_size for file in files]
        excess = sum(sizes) - MAX_BYTES
        for file, size in zip(files, sizes, strict=True):
            if excess <= 0:
                return
            file.unlink()
            excess -= size
