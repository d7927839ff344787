"""Keeps the books durable: saves a checkpoint while there is something new, then lets the spool delete what it covers."""

import threading
import time

from agents.checkpoint import Checkpoint
from agents.errors import SpoolUnavailable
from agents.ledger import Ledger
from agents.own_log import log
from agents.spool import Spool

INTERVAL_S = 1.0  # a checkpoint costs two fsyncs; what happens between two is replayed from the spool
PRESSED_S = 0.05  # when space is short it comes back this often


class Keeper:
    """A thread that saves; ``press`` asks it to hurry."""

    def __init__(self, ledger: Ledger, spool: Spool) -> None:
        self._ledger = ledger
        self._spool = spool
        self._pressed = threading.Event()
        self._stopping = False
        self._in_trouble = False
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin to save."""
        self._thread.start()

    def press(self) -> None:
        """Save soon: space is short."""
        self._pressed.set()

    def stop(self) -> None:
        """Save for the last time."""
        self._stopping = True
        self._pressed.set()
        self._thread.join()
        self.keep()

    def keep(self) -> None:
        """Save now if something changed, and delete what nobody needs any more."""
        try:
            self._spool.shed_old(time.time())
            if self._ledger.is_dirty() or self._spool.used_bytes():
                self._forget(self._ledger.save())
            self._in_trouble = False
        except (OSError, SpoolUnavailable) as error:
            if not self._in_trouble:
                log("error", "checkpoint_failed", reason=str(error))
            self._in_trouble = True

    def _forget(self, newest: Checkpoint) -> None:
        """Delete what nobody needs; a second save lets both checkpoints know what the newest does."""
        if self._spool.is_spent([newest.settled()]) and not self._spool.is_spent(self._ledger.settled()):
            self._ledger.save(anew=True)
        self._spool.forget(self._ledger.settled())

    def _run(self) -> None:
        while not self._stopping:
            self._pressed.wait(INTERVAL_S)
            if self._pressed.is_set():
                self._pressed.clear()
                time.sleep(PRESSED_S)
            self.keep()
