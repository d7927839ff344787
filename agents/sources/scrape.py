"""
Fetches an exposition at an interval and ships its bytes as they came, with how it went as three more lines.

A scrape that fails ships ``up 0`` alone, so a target's silence is a sample; the first failure after a good scrape, and the end of
scraping, ship the last good exposition again as *stale*, which ends its series. A series that vanishes while its target still
answers is not ended: that would take reading the text.
"""

import threading
import time

from agents.intake import Intake
from agents.ledger import Ledger
from agents.own_log import log
from agents.settings_values import ScrapeSettings
from agents.sources import Origin
from agents.sources.http_get import HttpError
from agents.sources.last_good import LastGood
from agents.sources.measuring import INSTANCE, place
from agents.sources.numbered import PLAIN, Expositions
from agents.sources.schedule import Slots
from agents.sources.scrape_target import END, Target


class ScrapeSource:
    """One ``[[scrape]]``."""

    def __init__(self, settings: ScrapeSettings, origin: Origin, intake: Intake, ledger: Ledger) -> None:
        self.made_of = (settings, origin)
        self._url = settings.url
        self._timeout_s = settings.timeout_s
        self._target = Target(settings)
        self._slots = Slots(settings.interval_s, f"{origin.agent}{settings.url}")
        named = (
            origin if INSTANCE in origin.resource else origin.with_resource({INSTANCE: place(settings.url)})
        )
        self._blocks = Expositions(named, intake, ledger, kind="scrape", source=f"scrape:{settings.url}")
        self._last = LastGood()
        self._state = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scrape", daemon=True)

    def start(self) -> None:
        """Begin to scrape, at the target's own moment of each interval."""
        self._thread.start()

    def stop(self) -> None:
        """End; a scrape that is under way is awaited, and the target's series are ended."""
        self._stopping.set()
        self._thread.join(self._timeout_s + 1)
        self._blocks.close()

    def lag_bytes(self) -> int:
        """Give 0: what was not scraped is not there."""
        return 0

    def _run(self) -> None:
        while not self._stopping.wait(self._slots.wait_s()):
            self._scrape()
        if (last := self._last.take()) is not None:
            content_type, body = last
            ended = with_verdict(body, self._url, up=True, duration_s=0, samples=0)
            self._blocks.ship(self._url, ended, content_type=content_type, stale=True)

    def _scrape(self) -> None:
        at = time.time()
        began = time.monotonic()
        try:
            content_type, body, samples = self._target.fetch()
        except HttpError as error:
            self._note(error.code, str(error))
            self._vanish(at)
            content_type, body, samples = PLAIN, b"", 0
        else:
            self._note("", "")
            self._last.keep(content_type, body)
        duration_s = time.monotonic() - began
        full = with_verdict(body, self._url, up=bool(body), duration_s=duration_s, samples=samples)
        self._blocks.ship(self._url, full, content_type=content_type, at=at)

    def _vanish(self, at: float) -> None:
        """End the series of the last good scrape, once."""
        if (last := self._last.take()) is not None:
            content_type, body = last
            self._blocks.ship(self._url, body, content_type=content_type, at=at, stale=True)

    def _note(self, code: str, reason: str) -> None:
        if code != self._state:
            log(
                "warning" if code else "info",
                "scrape_target",
                url=self._url,
                up=not code,
                code=code,
                reason=reason,
            )
        self._state = code


def with_verdict(body: bytes, url: str, *, up: bool, duration_s: float, samples: int) -> bytes:
    """Append ``up`` and what the scrape took, before OpenMetrics' closing line if there is one."""
    labels = f'{{instance="{place(url)}"}}'
    own = (
        f"# TYPE up gauge\nup{labels} {int(up)}\n"
        f"# TYPE scrape_duration_seconds gauge\nscrape_duration_seconds{labels} {duration_s:.6f}\n"
        f"# TYPE scrape_samples_scraped gauge\nscrape_samples_scraped{labels} {samples}\n"
    ).encode()
    stripped = body.rstrip()
    ended = stripped.endswith(END)
    kept = stripped.removesuffix(END).rstrip() if ended else stripped
    return (kept + b"\n" if kept else b"") + own + (END + b"\n" if ended else b"")
