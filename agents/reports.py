"""
The ledger, told to the collector every few seconds: what was read, shipped, rejected, dropped, and what is in flight.

Counters are cumulative, so a report that is lost is made good by the next. A report tells only what a checkpoint has
made durable; it can never be ahead of what a restart would say.
"""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from agents import __version__
from agents.block import Stream
from agents.checkpoint import Checkpoint, Counters
from agents.client import Client
from agents.errors import UnknownFate, Unreached
from agents.ledger import Ledger
from agents.own_log import log, rfc3339
from agents.route import Route
from agents.settings_values import Settings
from agents.spool import Spool


class Reporter:
    """Sends a report each ``report_interval_s``, and one last when it is stopped."""

    def __init__(
        self, settings: Settings, ledger: Ledger, spool: Spool, route: Route, lag_bytes: Callable[[], int]
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._spool = spool
        self._route = route
        self._lag_bytes = lag_bytes
        self._started_at = time.time()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
        self._clients: dict[str, Client] = {}
        self._last_refusal = 200

    def start(self) -> None:
        """Begin to report."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Send the last report, waiting at most *timeout_s*."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.wait(self._settings.report_interval_s):
            self._report()
        self._report()

    def _report(self) -> None:
        self._ledger.begin_report()
        try:
            books = self._ledger.save()
        except OSError:  # the keeper says so in the log; without a durable number there is no report
            return
        url = self._route.current()
        client = self._clients.setdefault(url, Client(url, self._settings.key))
        try:
            answer = client.post("/v1/reports", {"Content-Type": "application/json"}, self._body(books))
        except (
            Unreached,
            UnknownFate,
        ):  # the exporter says so in the log; the next report holds the same and more
            return
        if answer.status >= 300 and answer.status != self._last_refusal:
            log(
                "warning",
                "report_refused",
                collector=url,
                status=answer.status,
                answer=answer.body[:200].decode(errors="replace"),
            )
        self._last_refusal = answer.status

    def _body(self, books: Checkpoint) -> bytes:
        flights = [counters.spooled() for counters in books.counters.values()]
        report = {
            "agent": books.agent,
            "name": self._settings.name,
            "version": __version__,
            "host": self._settings.resource["host.name"],
            "at": rfc3339(time.time()),
            "sequence": books.reports,
            "counted_through": books.counted_through,
            "started_at": rfc3339(self._started_at),
            "spool": {
                "blocks": sum(blocks for blocks, _ in flights),
                "bytes": sum(size for _, size in flights),
                "oldest_age_s": round(self._spool.oldest_age_s(), 3),
            },
            "lag_bytes": self._lag_bytes(),
            "counters": [as_report(stream, counters) for stream, counters in books.counters.items()],
        }
        return json.dumps(report).encode()


def as_report(stream: Stream, counters: Counters) -> dict[str, Any]:
    """Write one stream's counters; read = shipped + rejected + dropped + spooled, in blocks and in bytes."""
    blocks, size = counters.spooled()
    return {
        "service": stream.service,
        "env": stream.env,
        "signal": stream.signal,
        "source": stream.source,
        "read_blocks": counters.read_blocks,
        "read_bytes": counters.read_bytes,
        "shipped_blocks": counters.shipped_blocks,
        "shipped_bytes": counters.shipped_bytes,
        "spooled_blocks": blocks,
        "spooled_bytes": size,
        "rejected_blocks": counters.rejected_blocks,
        "rejected_bytes": counters.rejected_bytes,
        "duplicate_blocks": counters.duplicate_blocks,
        "dropped": {
            reason: {"blocks": blocks, "bytes": size, "lines": lines}
            for reason, (blocks, size, lines) in counters.dropped.items()
        },
    }
