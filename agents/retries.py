"""Looks for quarantined blocks that somebody wants sent again, and gives them to the exporter, a few at a time."""

import threading
from collections.abc import Callable
from pathlib import Path

from agents.own_log import log
from agents.quarantine import Kept, Quarantine, read

LOOK_S = 1.0  # a directory listing of a few files; an empty one costs microseconds
AT_A_TIME = 8


class Retries:
    """A thread that looks; ``settled`` says that a block is not in the exporter's hands any more."""

    def __init__(self, quarantine: Quarantine, send: Callable[[Kept], None]) -> None:
        self._quarantine = quarantine
        self._send = send
        self._stopping = threading.Event()
        self._in_hand: set[Path] = set()
        self._unreadable: set[Path] = set()
        self._thread = threading.Thread(target=self._run, name="retries", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is asked for waits for the next start."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._look()
            if self._stopping.wait(LOOK_S):
                return

    def _look(self) -> None:
        asked = self._quarantine.asked()
        self._in_hand &= set(asked)  # the others were taken, or rejected again
        for path in asked:
            if len(self._in_hand) >= AT_A_TIME:
                return
            if path not in self._in_hand | self._unreadable:
                self._hand_over(path)

    def _hand_over(self, path: Path) -> None:
        block = read(path)
        if block is None:
            self._unreadable.add(path)
            log("error", "quarantine_unreadable", file=path)
            return
        self._in_hand.add(path)
        self._send(block)
        log("info", "block_sent_again", key=block.head.key, sequence=block.head.sequence)
