"""
Asks the service beside us whether it is well, at an interval.

Each answer is three samples under blackbox_exporter's names; a *change* of health (``failures`` failed probes in a row, ``successes``
successful ones) is one log line of the service, ``event: "health.transition"``. Before enough answers the health is *unknown*, also
after a restart of the agent: it did not look meanwhile.

HTTP is well with 2xx; redirects are followed on the same server only (``http_get``). TCP is well when the connection is made.
"""

import json
import threading
import time
from typing import NamedTuple
from urllib.parse import urlsplit

from agents.deadline import Deadline
from agents.intake import Intake
from agents.ledger import Ledger
from agents.own_log import rfc3339
from agents.settings_values import ProbeSettings
from agents.sources import Origin
from agents.sources.http_get import HttpError, connect, get, port_of, translated
from agents.sources.last_good import LastGood
from agents.sources.numbered import PLAIN, Expositions, Numbered
from agents.sources.samples import Sample, exposition
from agents.sources.schedule import Slots

MAX_BODY_BYTES = (
    1 << 16
)  # an answer is read so far that its server is not cut off; what it says is not looked at
HEADERS = {"Accept": "*/*", "User-Agent": "fuseboard-agent"}


class Verdict(NamedTuple):
    """How one probe went: *code* is "" or a bounded slug; *status* is HTTP's, 0 without an answer, None for TCP."""

    code: str
    reason: str
    status: int | None = 0


class Health:
    """What the last probes add up to: unknown, healthy or unhealthy."""

    def __init__(self, failures: int, successes: int) -> None:
        self._needed = {"unhealthy": failures, "healthy": successes}
        self._leaning = ""
        self.state = "unknown"
        self.in_a_row = 0

    def judge(self, *, success: bool) -> str | None:
        """Count one probe; give the health that has been reached and is not ``state``, if there is one."""
        leaning = "healthy" if success else "unhealthy"
        self.in_a_row = self.in_a_row + 1 if leaning == self._leaning else 1
        self._leaning = leaning
        reached = self.in_a_row >= self._needed[leaning]
        return leaning if reached and leaning != self.state else None


class ProbeSource:
    """One ``[[probe]]``."""

    def __init__(self, settings: ProbeSettings, origin: Origin, intake: Intake, ledger: Ledger) -> None:
        self.made_of = (settings, origin)
        self._settings = settings
        self._health = Health(settings.failures, settings.successes)
        self._slots = Slots(settings.interval_s, f"{origin.agent}{settings.url}")
        self._samples = Expositions(origin, intake, ledger, kind="probe", source=f"probe:{settings.url}")
        self._lines = Numbered(
            origin,
            intake,
            ledger,
            kind="health",
            source=f"health:{settings.url}",
            signal="logs",
            path="/v1/lines",
        )
        self._last = LastGood()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)

    def start(self) -> None:
        """Begin to ask, at once and then at our moment of each interval."""
        self._thread.start()

    def stop(self) -> None:
        """End; a probe that is under way is awaited."""
        self._stopping.set()
        self._thread.join(self._settings.timeout_s + 1)
        self._samples.close()
        self._lines.close()

    def lag_bytes(self) -> int:
        """Give 0: what was not asked is not there."""
        return 0

    def _run(self) -> None:
        self._probe()
        while not self._stopping.wait(self._slots.wait_s()):
            self._probe()
        if (last := self._last.take()) is not None:
            self._samples.ship(self._settings.url, last[1], stale=True)

    def _probe(self) -> None:
        at, began = time.time(), time.monotonic()
        verdict = ask(self._settings.url, self._settings.timeout_s)
        body = exposition(samples(verdict, time.monotonic() - began), {"instance": self._settings.url})
        self._samples.ship(self._settings.url, body, at=at)
        self._last.keep(PLAIN, body)
        reached = self._health.judge(success=not verdict.code)
        if reached and self._tell(reached, verdict, at):
            self._health.state = reached  # when there was no room the next probe tells it

    def _tell(self, reached: str, verdict: Verdict, at: float) -> bool:
        row = self._health.in_a_row
        line = {
            "timestamp": rfc3339(at),
            "level": "error" if reached == "unhealthy" else "info",
            "message": f"{self._settings.url} is {reached}: {verdict.reason}",
            "event": "health.transition",
            "probe": self._settings.url,
            "from": self._health.state,
            "to": reached,
            "code": verdict.code or "ok",
            "reason": verdict.reason,
            "consecutive_failures": row if verdict.code else 0,
            "consecutive_successes": 0 if verdict.code else row,
        }
        return self._lines.ship(self._settings.url, json.dumps(line).encode() + b"\n", {})


def samples(verdict: Verdict, duration_s: float) -> list[Sample]:
    """Name the numbers of one probe; HTTP without an answer has status 0, as blackbox_exporter writes it."""
    return [
        Sample("probe_success", "gauge", int(not verdict.code)),
        Sample("probe_duration_seconds", "gauge", duration_s),
        Sample("probe_http_status_code", "gauge", verdict.status),
    ]


def ask(url: str, timeout_s: float) -> Verdict:
    """
    Probe once; never raises, never takes longer than *timeout_s* and the look-up of the name.

    Returns:
        The codes are those of ``http_get.get`` and *status*.
    """
    try:
        return _ask_tcp(url, timeout_s) if url.startswith("tcp:") else _ask_http(url, timeout_s)
    except HttpError as error:
        return Verdict(error.code, str(error)[:300], None if url.startswith("tcp:") else 0)


def _ask_tcp(url: str, timeout_s: float) -> Verdict:
    parts = urlsplit(url)
    deadline = Deadline()
    deadline.set(timeout_s)
    with translated(url):
        connect(parts.hostname or "", port_of(parts), deadline).close()
    return Verdict("", "connected", None)


def _ask_http(url: str, timeout_s: float) -> Verdict:
    answer = get(url, timeout_s=timeout_s, max_bytes=MAX_BODY_BYTES, headers=HEADERS)
    reason = f"answered {answer.status}"
    return Verdict("" if 200 <= answer.status < 300 else "status", reason, answer.status)
