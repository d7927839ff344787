"""Since when records wait to be loaded: in the journal's open segment, or handed over to the loader."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from collector.journal.writer import Journal
from collector.load.loader import Loader


def unloaded(journal: Journal, loader: Loader, group: str) -> Callable[[], int | None]:
    """Say since when records of *group* wait to be loaded: the journal is asked first, it hands over to the loader."""

    def first_ns() -> int | None:
        found = (journal.first_open_ns(group), loader.first_waiting_ns(group))
        return min((at for at in found if at is not None), default=None)

    return first_ns


def unloaded_of(
    journal: Journal, loader: Loader, groups: Callable[[Any], Collection[str]]
) -> Callable[[Any], int | None]:
    """Say since when records of any of the *groups* of what is asked about (a table that they fill, some signals) wait to be loaded."""

    def first_ns(asked: Any) -> int | None:
        found = (unloaded(journal, loader, group)() for group in groups(asked))
        return min((at for at in found if at is not None), default=None)

    return first_ns
