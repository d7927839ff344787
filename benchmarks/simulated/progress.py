"""What is done so far, said now and then: a run takes minutes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
# Seconds between two lines.
_TOLD_S = 10.0


def progress(every: Iterable[T], count: int, what: str) -> Iterator[T]:
    """Pass *every* on, and say now and then how many there were."""
    began = said = time.monotonic()
    for number, each in enumerate(every, 1):
        yield each
        if time.monotonic() - said >= _TOLD_S or number == count:
            said = time.monotonic()
            print(f"  {number} of {count} {what}, {said - began:.0f} s", flush=True)
