"""
Open descriptors of followed files, a bounded number of them: the file that was least recently used is closed.

A closed file is looked at by name and opened again when it has grown. Files that were not read to their end, or have left
their place, are kept open as long as there are others.
"""

import os
from collections import OrderedDict
from itertools import islice

from agents.sources.discovery import inodes
from agents.sources.identity import Inode
from agents.sources.tail import Tail

LOOK_AT = 8  # so many of the least recently used are asked whether they can be closed without harm


class Descriptors:
    """Which tails are open, in the order of their use."""

    def __init__(self, most: int) -> None:
        self._most = max(4, most)  # a copy is compared with its source, and that may have just been opened
        self._open: OrderedDict[Inode, Tail] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def use(self, tail: Tail) -> None:
        """Note that *tail*, which is open, is in use; close another if there are too many."""
        self._open[tail.identity] = tail
        self._open.move_to_end(tail.identity)
        if len(self._open) > self._most:
            spare = next((one for one in islice(self._open.values(), LOOK_AT) if _may_close(one, tail)), None)
            self.close(spare or next(iter(self._open.values())))

    def has_opened(self, tail: Tail) -> bool:
        """Make sure that *tail* is open; False when its file is not where it was."""
        if not tail.is_open():
            return self._reopen(tail, tail.where)
        self.use(tail)
        return True

    def relocate(self, tail: Tail) -> None:
        """Open a closed file that is not where it was, while it may still be found in that directory."""
        if self.has_opened(tail):
            return
        for path in inodes(os.path.dirname(tail.where)).get(tail.inode, ()):  # noqa: PTH120
            if self._reopen(tail, path):
                return

    def close(self, tail: Tail) -> None:
        """Close *tail*."""
        self._open.pop(tail.identity, None)
        tail.close()

    def close_all(self) -> None:
        """Close every one."""
        for tail in list(self._open.values()):
            self.close(tail)

    def _reopen(self, tail: Tail, path: str) -> bool:
        try:
            if not tail.reopen(path):
                return False
        except FileNotFoundError:
            return False
        self.use(tail)
        return True


def _may_close(tail: Tail, besides: Tail) -> bool:
    """Say whether a file can be closed without harm: it is where it was, and was read to its end."""
    return tail is not besides and tail.gone_since is None and tail.lag_bytes() == 0
