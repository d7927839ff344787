"""
Source to spool: the one door through which every block goes.

When there is no room, or the disk refuses, the caller waits here (files and
commands: the bytes are safe where they are) or is told (the relay: its client has its own retry).
"""

import threading

from agents.block import Block
from agents.errors import NoRoom, SpoolUnavailable
from agents.own_log import log
from agents.spool import Spool

RETRY_S = 0.1  # how soon a full spool is looked at again; space comes back with each checkpoint


class Intake:
    """Puts blocks into the spool; *stopping* ends every wait."""

    def __init__(self, spool: Spool, stopping: threading.Event) -> None:
        self._spool = spool
        self._stopping = stopping
        self.stalls = 0

    def write(self, block: Block) -> None:
        """
        Write *block*, or say at once that it cannot be taken; durable only after ``sync``.

        Raises:
            NoRoom: The spool is full and the policy is to wait.
            SpoolUnavailable: The disk refuses.
        """
        self._spool.append(block)

    def sync(self) -> None:
        """
        Return when everything written is durable.

        Raises:
            SpoolUnavailable: The disk refuses.
        """
        self._spool.sync()

    def deliver(self, block: Block) -> None:
        """Write and sync; raises what they raise."""
        self._spool.append(block)
        self._spool.sync()

    def offer(self, block: Block) -> bool:
        """
        Write *block*, waiting for room; durable only after ``commit``.

        Returns:
            False when the agent is stopping before there was room: the block was not taken.
        """
        while True:
            try:
                self._spool.append(block)
            except (NoRoom, SpoolUnavailable) as error:
                self._stall(error)
                if self._stopping.wait(RETRY_S):
                    return False
            else:
                return True

    def commit(self) -> None:
        """Return when what was offered is durable, however long the disk refuses, or the agent is stopping."""
        while True:
            try:
                self._spool.sync()
            except SpoolUnavailable as error:
                self._stall(error)
                if self._stopping.wait(RETRY_S):
                    return
            else:
                return

    def _stall(self, error: NoRoom | SpoolUnavailable) -> None:
        self.stalls += 1
        if self.stalls % 100 == 1:
            log("warning", "source_waits", code=error.code, reason=error.message)
