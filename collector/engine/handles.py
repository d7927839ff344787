"""
chDB handles, pooled by what was set on them.

One chDB handle is one session: settings stay on it, and a handle that was made read-only never becomes
writable again. So handles are pooled by the settings they were given, and never given others; a handle whose settings
will not come again (an insert's deduplication token) costs 130 KB if kept, so only the last few used are.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import chdb

from collector.engine.statement import quoted

# Read by chDB when the first handle opens the database.
_CONFIG = Path(__file__).with_name("engine.xml")
# Idle handles kept, whatever their settings: the readers' few sets stay warm, the one-off sets of inserts fall out.
_IDLE_HANDLES = 16


class Handles:
    """
    chDB handles by the settings and database they carry.

    Args:
        path: Directory of the database; one per process (a chDB rule).
        defaults: Settings every handle starts with.
    """

    def __init__(self, path: str, defaults: dict[str, str]) -> None:
        self._path = f"{path}?config-file={_CONFIG}"
        self._defaults = defaults
        self._idle: deque[tuple[tuple[tuple[str, str], ...], Any]] = (
            deque()
        )  # the latest used at the right end
        self._lock = threading.Lock()
        self._keep_open = chdb.connect(self._path)  # the database closes with its last handle

    @contextmanager
    def borrow(self, database: str, settings: dict[str, str]) -> Iterator[Any]:
        """Yield a handle on *database* with exactly *settings* over the defaults; it goes back unless a query broke it."""
        key = (("", database), *sorted(settings.items()))
        handle = self._take(key)
        if handle is None:
            handle = self._open(database, settings)
        try:
            yield handle
        except BaseException:
            handle.close()  # what it had written of its answer would stand before the next one
            raise
        self._give_back(key, handle)

    def _take(self, key: tuple[tuple[str, str], ...]) -> Any:
        with self._lock:
            for index, (known, handle) in enumerate(self._idle):
                if known == key:
                    del self._idle[index]
                    return handle
        return None

    def _open(self, database: str, settings: dict[str, str]) -> Any:
        handle = chdb.connect(self._path)
        try:
            merged = {**self._defaults, **settings}
            readonly = merged.pop("readonly", None)
            if merged:
                handle.query(
                    "SET " + ", ".join(f"{k} = {quoted(v)}" for k, v in merged.items()), "TabSeparated"
                )
            if database:
                handle.query(f"USE `{database.replace('`', '')}`", "TabSeparated")
            if readonly is not None:
                handle.query(f"SET readonly = {quoted(readonly)}", "TabSeparated")
        except BaseException:
            handle.close()
            raise
        return handle

    def _give_back(self, key: tuple[tuple[str, str], ...], handle: Any) -> None:
        with self._lock:
            self._idle.append((key, handle))
            spare = self._idle.popleft()[1] if len(self._idle) > _IDLE_HANDLES else None
        if spare is not None:
            spare.close()
