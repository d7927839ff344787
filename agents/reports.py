"""
The ledger, told to the collector every few seconds: what was read, shipped, rejected, dropped, and what is in flight.

Counters are cumulative. A report tells only what a checkpoint has made durable; it can never be ahead of what a restart
would say. One that cannot be delivered is kept (``unreported``) and delivered later, in order, with its own time and number,
also by the next process; one that a collector refuses for good (4xx) is given up and counted: the next one tells more.

Reports do not depend on what they tell of: they do not go through the spool, no breaker holds them back and they move none.
The current collector is asked first, then the others; a report is a snapshot with a number, so one that two collectors have
stored (an answer that was lost) is the same row twice.
"""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from agents import __version__
from agents.access import Access
from agents.answers import judged, retry_after_s
from agents.block import Stream
from agents.checkpoint import Checkpoint, Counters
from agents.client import Clients
from agents.errors import UnknownFate, Unreached
from agents.ledger import Ledger
from agents.own_log import log, rfc3339
from agents.route import Route, Standing
from agents.settings_values import Settings
from agents.spool import Spool
from agents.unreported import Unreported, key_of

BEST_FIRST = ("closed", "half_open", "open")


class Reporter:
    """
    Makes a report each ``report_interval_s``, and one last when it is stopped.

    Attributes:
        refused: Reports that a collector has refused for good, since the process began.
        waiting: Reports that are not delivered yet.
        on_success: Called after each report that a collector whose breaker is closed has stored.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        spool: Spool,
        route: Route,
        access: Access,
        lag_bytes: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._spool = spool
        self._route = route
        self._access = access
        self._lag_bytes = lag_bytes
        self._started_at = time.time()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
        self._clients = Clients()
        self._unreported = Unreported(settings.data_dir / "reports.pending")
        self._last_refusal = 200
        self._not_before = 0.0
        self._quiet = False
        self.refused = 0
        self.on_success: Callable[[], None] = lambda: None

    @property
    def waiting(self) -> int:
        """The reports that are not delivered yet."""
        return len(self._unreported)

    def start(self) -> None:
        """Begin to report."""
        self._thread.start()

    def reconfigure(self, settings: Settings, access: Access) -> None:
        """Go on under other settings, from the next report on."""
        self._settings, self._access = settings, access

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
        report = self._body(books)
        delivered = self._deliver_waiting() and self._deliver(report)
        if not delivered:
            self._keep(report)

    def _deliver_waiting(self) -> bool:
        """Deliver what could not be delivered before; True when nothing waits any more."""
        while (oldest := self._unreported.first()) is not None:
            if not self._deliver(oldest):
                return False
            self._unreported.done()
        return True

    def _keep(self, report: bytes) -> None:
        try:
            self._unreported.keep(report)
            self._quiet = False
        except OSError as error:
            if not self._quiet:
                log("warning", "report_not_kept", reason=str(error))
            self._quiet = True

    def _deliver(self, report: bytes) -> bool:
        """Offer one to the collectors in turn; True when it is settled: stored, or refused for good."""
        if time.monotonic() < self._not_before:
            return False
        ordered = sorted(self._route.standings(), key=lambda it: not it.current)
        return any(self._send(standing.url, report) for standing in ordered)

    def _send(self, url: str, report: bytes) -> bool:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key_of(report)}
        try:
            answer = self._clients.get(url, self._access).post("/v1/reports", headers, report)
        except (Unreached, UnknownFate):  # the exporter says so in the log
            return False
        self._note(url, answer.status, answer.body)
        meaning = judged(answer)
        self.refused += meaning == "rejected"
        if meaning == "taken" and self._route.is_well(url):
            self.on_success()
        if meaning == "refused":
            asked_s = retry_after_s(answer.headers.get("retry-after", ""), time.time())
            self._not_before = time.monotonic() + asked_s
        return meaning in {"taken", "rejected"}

    def _note(self, url: str, status: int, body: bytes) -> None:
        if status >= 300 and status != self._last_refusal:
            said = body[:200].decode(errors="replace")
            log("warning", "report_refused", collector=url, status=status, answer=said)
        self._last_refusal = status

    def _body(self, books: Checkpoint) -> bytes:
        """Write a report as one line."""
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
            "exporter": _exporter(self._route.standings()),
            "counters": [as_report(stream, counters) for stream, counters in books.counters.items()],
        }
        return json.dumps(report).encode()


def _exporter(standings: list[Standing]) -> dict[str, Any]:
    """Say how the way to the collectors is: the breaker of the best of them, and each one's."""
    return {
        "breaker": min((it.state for it in standings), key=BEST_FIRST.index),
        "key_refused": all(it.key_refused for it in standings),
        "collectors": [
            {"url": it.url, "breaker": it.state, "key_refused": it.key_refused, "current": it.current}
            for it in standings
        ],
    }


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
