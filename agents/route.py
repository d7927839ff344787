"""
Which collector a block goes to.

All blocks go to the current collector. When it refuses or cannot be reached, the next of the list becomes current; but a
block whose fate is unknown (sent, no answer) is retried only where it was sent, whose journal knows it (design §5). The
choice is durable before it is acted on, so a restart after a kill keeps to it: a block without a pin can only have been
sent to the collector that the checkpoint names.
"""

import threading

from agents.ledger import Ledger


class Route:
    """The current collector and the pins; shared by the senders."""

    def __init__(self, collectors: tuple[str, ...], ledger: Ledger) -> None:
        self._collectors = collectors
        self._ledger = ledger
        self._lock = threading.Lock()
        self._sending: set[int] = set()
        known, self._pins = ledger.route()
        self._current = known if known in collectors else collectors[0]
        if known is not None and known not in collectors:
            self._pins = {}  # the operator took that collector away; the key still tells a retry from a new block
        if known != self._current:
            self._write()

    def current(self) -> str:
        """Give the collector that new blocks go to."""
        with self._lock:
            return self._current

    def begin(self, sequence: int) -> str:
        """Give the collector for this block and remember that it is being sent there."""
        with self._lock:
            url = self._pins.get(sequence, self._current)
            if url not in self._collectors:
                url = self._current
            self._sending.add(sequence)
            return url

    def not_taken(self, sequence: int, url: str) -> bool:
        """
        Hear that *url* has not taken the block; the next collector becomes current.

        Returns:
            True when the block may go to another collector at once.

        Raises:
            OSError: The choice cannot be made durable; stay.
        """
        with self._lock:
            self._sending.discard(sequence)
            if len(self._collectors) == 1 or sequence in self._pins:
                return False
            if url == self._current:
                self._pins |= dict.fromkeys(self._sending - self._pins.keys(), url)
                following = (self._collectors.index(url) + 1) % len(self._collectors)
                self._current = self._collectors[following]
                self._write()
            return self._current != url

    def unknown(self, sequence: int, url: str) -> None:
        """Hear that nobody but *url* knows whether it has the block: keep it there."""
        with self._lock:
            self._sending.discard(sequence)
            self._pins[sequence] = url
            self._ledger.set_route(self._current, self._pins)

    def settled(self, sequence: int) -> None:
        """Forget the block."""
        with self._lock:
            self._sending.discard(sequence)
            self._pins.pop(sequence, None)

    def _write(self) -> None:
        self._ledger.set_route(self._current, self._pins)
        self._ledger.save()
