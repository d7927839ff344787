"""
Fetches an exposition at an interval and ships its bytes as they came, with ``up`` and the duration as two more lines.

A scrape that fails ships ``up 0`` alone, so a target's silence is a sample. Blocks are numbered, so a gap is visible.
"""

import http.client
import threading
import time
from urllib.parse import urlsplit

from agents.block import Block, Position
from agents.errors import NoRoom, SpoolUnavailable
from agents.intake import Intake
from agents.ledger import Ledger
from agents.own_log import log, rfc3339
from agents.settings_values import ScrapeSettings
from agents.sources import Origin, counted_generation

ACCEPT = "text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1.0.0;q=0.5"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
END = b"# EOF"


class ScrapeError(Exception):
    """The target did not answer with an exposition; the text says why."""


class ScrapeSource:
    """One ``[[scrape]]``."""

    def __init__(self, settings: ScrapeSettings, origin: Origin, intake: Intake, ledger: Ledger) -> None:
        self._settings = settings
        self._origin = origin
        self._intake = intake
        self._stopping = threading.Event()
        self._stream = origin.stream("metrics", f"scrape:{settings.url}")
        self._generation = counted_generation(self._stream.source)
        self._number = ledger.sequence_of(self._stream.source)
        self._thread = threading.Thread(target=self._run, name="scrape", daemon=True)
        self._was_up = True

    def start(self) -> None:
        """Begin to scrape, at once and then at the interval."""
        self._thread.start()

    def stop(self) -> None:
        """End; a scrape that is under way is awaited."""
        self._stopping.set()
        self._thread.join(self._settings.timeout_s + 1)

    def lag_bytes(self) -> int:
        """Give 0: what was not scraped is not there."""
        return 0

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.is_set():
            self._scrape()
            due = max(due + self._settings.interval_s, time.monotonic())
            self._stopping.wait(due - time.monotonic())

    def _scrape(self) -> None:
        at = time.time()
        began = time.monotonic()
        try:
            content_type, body = fetch(self._settings)
        except (ScrapeError, OSError, http.client.HTTPException) as error:
            content_type, body = PLAIN, b""
            self._note(up=False, reason=str(error))
        else:
            self._note(up=True, reason="")
        full = with_verdict(body, self._settings.url, up=bool(body), duration_s=time.monotonic() - began)
        self._ship(full, content_type, at)

    def _ship(self, body: bytes, content_type: str, at: float) -> None:
        position = Position(self._generation, self._number, self._number + 1)
        self._number += 1  # also when it is not taken: the gap shows that a scrape is missing
        block = Block(
            stream=self._stream,
            path="/v1/exposition",
            key=self._origin.key(position),
            position=position,
            body=body,
            headers=self._origin.headers("scrape", self._settings.url, position)
            | {"Content-Type": content_type, "Fuseboard-Scraped-At": rfc3339(at)},
        )
        try:
            self._intake.deliver(block)
        except (NoRoom, SpoolUnavailable) as error:
            log("warning", "scrape_skipped", url=self._settings.url, reason=error.message)

    def _note(self, *, up: bool, reason: str) -> None:
        if up != self._was_up:
            log("info" if up else "warning", "scrape_target", url=self._settings.url, up=up, reason=reason)
        self._was_up = up


def fetch(settings: ScrapeSettings) -> tuple[str, bytes]:
    """
    Fetch one exposition.

    Returns:
        Its content type and its bytes.

    Raises:
        ScrapeError: Another status than 200, an empty or a too large body.
        OSError: No connection, or silence longer than the timeout.
    """
    parts = urlsplit(settings.url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=settings.timeout_s)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"Accept": ACCEPT, "User-Agent": "fuseboard-agent"})
        response = connection.getresponse()
        body = response.read(settings.max_bytes + 1)
        if response.status != 200:
            raise ScrapeError(f"{settings.url} answered {response.status}")
        if not body or len(body) > settings.max_bytes:
            raise ScrapeError(f"{settings.url} sent {len(body)} bytes; 1 to {settings.max_bytes} are taken")
        return response.getheader("Content-Type", PLAIN), body
    finally:
        connection.close()


def with_verdict(body: bytes, url: str, *, up: bool, duration_s: float) -> bytes:
    """Append ``up`` and ``scrape_duration_seconds``, before OpenMetrics' closing line if there is one."""
    instance = urlsplit(url).netloc.rpartition("@")[2]
    own = (
        f'# TYPE up gauge\nup{{instance="{instance}"}} {int(up)}\n'
        f'# TYPE scrape_duration_seconds gauge\nscrape_duration_seconds{{instance="{instance}"}} {duration_s:.6f}\n'
    ).encode()
    stripped = body.rstrip()
    ended = stripped.endswith(END)
    kept = stripped.removesuffix(END).rstrip() if ended else stripped
    return (kept + b"\n" if kept else b"") + own + (END + b"\n" if ended else b"")
