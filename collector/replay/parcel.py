"""What is sent: a request body and the recorded time it is of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

SECOND_NS = 1_000_000_000
# Bodies stay well below a collector's limits, and a kill loses little work.
BODY_BYTES = 1 << 20


class Unreadable(Exception):
    """A file is not what its name promises; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """
    One request.

    Attributes:
        at_ns: The recorded time of its first record, not moved, epoch nanoseconds; 0 = it has none: goes with what is beside it.
        path: Of the collector, ``/v1/…``.
        content_type: Of *body*.
        body: As it is sent, its times moved.
        records: Records, spans or samples in it.
        headers: More of them.
    """

    at_ns: int
    path: str
    content_type: str
    body: bytes
    records: int
    headers: Mapping[str, str] = field(default_factory=dict)

    def key(self, name: str) -> str:
        """Give its Idempotency-Key: the same part of the same file with the same times is the same request."""
        digest = hashlib.sha256(f"{name}\0{self.path}\0{sorted(self.headers.items())}\0".encode())
        digest.update(self.body)
        return f"replay-{digest.hexdigest()[:40]}"


@dataclass(slots=True)
class Extent:
    """
    What a file holds.

    Attributes:
        first_ns: The earliest time in it; 0 = none has one.
        last_ns: The latest.
        records: Records, spans or samples.
        untimed: Of them without a time of their own: a collector stores them at their arrival.
    """

    first_ns: int = 0
    last_ns: int = 0
    records: int = 0
    untimed: int = 0

    def add(self, first_ns: int, last_ns: int, records: int = 0) -> None:
        """Widen it."""
        if first_ns:
            self.first_ns = min(self.first_ns or first_ns, first_ns)
        self.last_ns = max(self.last_ns, last_ns)
        self.records += records


@dataclass(frozen=True, slots=True)
class Move:
    """
    How times are changed and bodies cut.

    Attributes:
        shift_ns: Added to every time.
        step_ns: A parcel spans at most this much recorded time.
    """

    shift_ns: int
    step_ns: int


class Recording(Protocol):
    """A file that can be replayed."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def what(self) -> str:
        """Its kind, in words."""

    def extent(self) -> Extent:
        """
        Read all of it.

        Raises:
            Unreadable: It is broken; nothing of it is sent.
        """

    def parcels(self, move: Move) -> Iterator[Parcel]:
        """Cut it into requests, in the file's order."""


def resource_header(resource: Mapping[str, str]) -> dict[str, str]:
    """Write a resource as ``Fuseboard-Resource`` has it."""
    pairs = ",".join(
        f"{quote(name, safe='.-_')}={quote(value, safe='.-_/:')}" for name, value in resource.items() if value
    )
    return {"Fuseboard-Resource": pairs} if pairs else {}
