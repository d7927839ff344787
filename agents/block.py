"""
The values that travel from a source to the spool.

A ``Block`` is cut once; from then on it has one identity (``key``) at every hop, so a retry after any kill is
recognised as the same block.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_BLOCK_BYTES = (
    1 << 20
)  # a block is at most 1 MiB uncompressed (design §2): bounds memory and one retry's cost


@dataclass(frozen=True, slots=True)
class Stream:
    """
    Whom the ledger counts a block under.

    ``signal`` is logs, metrics, traces or breakers; ``source`` is ``file:/path``, ``command:NAME``, ``scrape:URL``,
    ``container``, ``node``, ``probe:URL`` (samples), ``health:URL`` (its transitions) or ``relay:/v1/traces``.
    """

    service: str
    env: str
    signal: str
    source: str


@dataclass(frozen=True, slots=True)
class FileMark:
    """
    Which file a position belongs to, and what is needed to recognise it (``sources/identity``).

    ``signature`` is the SHA-256 (first 16 hex digits) of the first ``signature_bytes`` bytes, ``joint`` that of the last bytes
    in front of the position ("" in frames of earlier versions), ``version`` the inode's own number of reuse (0 = not
    known). ``cut``: the position lies inside a line that was too long, whose rest is left out.
    """

    path: str
    device: int
    inode: int
    signature_bytes: int
    signature: str
    joint: str = ""
    version: int = 0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """
    What of its source a block holds: [start, end) in bytes for files and commands, in sequence numbers elsewhere.

    ``generation`` names one incarnation of the source: a new one begins when a file is truncated.
    """

    generation: str
    start: int
    end: int
    file: FileMark | None = None


Shed = Mapping[str, tuple[int, int]]
"""Reason -> (lines, bytes) that a processor took out of a block."""


@dataclass(frozen=True, slots=True)
class Block:
    """
    One request to come: ``body`` uncompressed, at most 1 MiB unless a service's own request is larger.

    ``shed`` counts what processors took out of it; a block whose ``body`` is empty is counted and not sent.
    """

    stream: Stream
    path: str
    key: str
    position: Position
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    shed: Shed = field(default_factory=dict)
