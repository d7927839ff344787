"""
What a reader does first: say that it is there, and wait until what was kept waiting for one is in the tables.

For most it is nothing: a segment waits only while nobody reads (``writer.py``), so the first question after a quiet time waits for one load, a quarter
of a second, and those that follow within ten seconds for none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection

from collector.journal.writer import Journal

# A reader who finds the engine busy or away does not wait much longer for it than a load takes.
_LONGEST_S = 1.0
_LOOK_S = 0.01


async def loaded(journal: Journal, groups: Collection[str] | None = None) -> None:
    """Return when whatever of *groups* (``None`` = of all) waited for a reader is loaded, or after a second; of none at once."""
    began = time.monotonic()
    left = journal.attend(groups)
    while left and time.monotonic() - began < _LONGEST_S:
        await asyncio.sleep(_LOOK_S)
        left = _left(journal, left, began)


def wait_loaded(journal: Journal, groups: Collection[str] | None = None) -> None:
    """Do the same in a thread, for who asks at intervals of its own, about *groups*: what comes after it waits again."""
    began = time.monotonic()
    left = journal.attend(groups, stays=False)
    while left and time.monotonic() - began < _LONGEST_S:
        time.sleep(_LOOK_S)
        left = _left(journal, left, began)


def _left(journal: Journal, groups: list[str], began: float) -> list[str]:
    return [group for group in groups if journal.awaits(group, began)]
