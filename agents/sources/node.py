"""
One agent for a whole host: the logs of all its containers, each under its own service, and the resource use of all.

Logs are followed by ``files``; ``node_logs`` says which and whose. Resource use is measured at an interval (``node_host``) and shipped as
expositions of at most ``PER_BLOCK`` containers under the agent's own service; whose a sample is, its labels say. A container that
has gone has its series ended.

To be run as root in the host's process namespace: otherwise start times and network, both found through a process, are left out.
"""

import threading
import time

from agents.intake import Intake
from agents.ledger import Ledger
from agents.own_log import log
from agents.settings_values import NodeSettings
from agents.sources import Origin
from agents.sources.last_good import LastGood
from agents.sources.node_host import Host, Measured
from agents.sources.numbered import PLAIN, Expositions
from agents.sources.samples import expositions, lines_of
from agents.sources.schedule import Slots

PER_BLOCK = 50  # containers in one exposition: some 10 KB each, and a block is at most 1 MiB


class NodeSource:
    """Measures all containers at an interval."""

    def __init__(self, settings: NodeSettings, origin: Origin, intake: Intake, ledger: Ledger) -> None:
        self.made_of = (settings, origin)
        self._host = Host(settings, origin.resource.get("host.name", ""))
        self._blocks = Expositions(origin, intake, ledger, kind="node", source="node")
        self._slots = Slots(settings.interval_s, f"{origin.agent}node")
        self._last: list[LastGood] = []
        self._targets: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="node", daemon=True)

    def start(self) -> None:
        """Begin to measure, at once and then at our moment of each interval."""
        self._thread.start()

    def stop(self) -> None:
        """End; the series of all containers are ended."""
        self._stopping.set()
        self._thread.join()

    def lag_bytes(self) -> int:
        """Give 0: what was not measured is not there."""
        return 0

    def _run(self) -> None:
        self._measure()
        while not self._stopping.wait(self._slots.wait_s()):
            self._measure()
        self._end(self._targets, time.time())

    def _measure(self) -> None:
        at = time.time()
        try:
            measured = self._host.measure()
        except OSError as error:  # /proc or a mount is not what we know
            log("warning", "node_not_measured", reason=str(error))
            return
        targets = {labels for labels, _ in measured}
        self._end(self._targets - targets, at)
        self._targets = targets
        self._last = [self._ship(measured[n : n + PER_BLOCK], at) for n in range(0, len(measured), PER_BLOCK)]

    def _ship(self, measured: Measured, at: float) -> LastGood:
        body = expositions(measured)
        self._blocks.ship("node", body, at=at)
        kept = LastGood()
        kept.keep(PLAIN, body)
        return kept

    def _end(self, targets: set[str], at: float) -> None:
        """End the series of *targets*."""
        if not targets:
            return
        for last in self._last:
            kept = last.take()
            lines = lines_of(kept[1], sorted(targets)) if kept else b""
            if lines:
                self._blocks.ship("node", lines, at=at, stale=True)
