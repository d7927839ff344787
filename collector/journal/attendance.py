"""
What a reader does first: say that it is there, and wait until what was kept waiting for one is in the tables.

For most it is nothing: a segment waits only while nobody reads (``writer.py``), so the first question after a quiet time waits for one load, a quarter
of a second, and those that follow within ten seconds for none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection

from collector.journal.patience import LOADED_WITHIN_S
from collector.journal.writer import Journal

_LOOK_S = 0.01


async def loaded(journal: Journal, groups: Collection[str] | None = None) -> None:
    """Return when whatever of *groups* (``None`` = of all) waited for a reader is loaded, or after a second; of none at once."""
    left = journal.attend(groups)
    while left:
        await asyncio.sleep(_LOOK_S)
        left = _left(journal, left)


def wait_loaded(journal: Journal, groups: Collection[str] | None = None) -> None:
    """Do the same in a thread, for who asks at intervals of its own, about *groups*: what comes after it waits again."""
    left = journal.attend(groups, stays=False)
    while left:
        time.sleep(_LOOK_S)
        left = _left(journal, left)


def _left(journal: Journal, groups: dict[str, float]) -> dict[str, float]:
    """Give those of *groups* that are not loaded, and for which nobody has waited long yet."""
    now = time.monotonic()
    return {
        group: by for group, by in groups.items() if now - by < LOADED_WITHIN_S and journal.awaits(group, by)
    }
