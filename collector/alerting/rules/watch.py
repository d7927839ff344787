"""Notices that rule files have changed, or that somebody wants them read again."""

from __future__ import annotations

import threading
import time

from collector.alerting.rules.book import RuleBook

# How soon a changed rule file is noticed.
LOOK_S = 2.0


class Watch:
    """Looks at the files of *book*; used by one thread, :meth:`reread_soon` by any."""

    def __init__(self, book: RuleBook) -> None:
        self._book = book
        self._wanted = threading.Event()
        self._looked = time.monotonic()

    def reread_soon(self) -> None:
        """Have the files read at the next look, changed or not."""
        self._wanted.set()

    @property
    def wait_s(self) -> float:
        """Seconds until it is time to look."""
        return 0.0 if self._wanted.is_set() else self._looked + LOOK_S - time.monotonic()

    def look(self) -> None:
        """Read the files again if it is time and they have changed; if one is wrong the rules stay as they are."""
        if self._wanted.is_set():
            self._wanted.clear()
            self._book.reread()
        elif time.monotonic() - self._looked >= LOOK_S:
            self._looked = time.monotonic()
            self._book.reread_if_changed()
