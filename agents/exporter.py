"""
Spool to collector: each block is sent until a collector has said 2xx, or 4xx for good.

| answer | becomes |
|---|---|
| 2xx | shipped; a duplicate when the collector says that it had the block |
| 408, 429, 5xx, 3xx | refused: tried again after ``Retry-After`` or a full-jitter back-off, without end |
| other 4xx | rejected: quarantine file, counted |
| no connection | refused |
| no answer | fate unknown: tried again on the same collector |
"""

import random
import threading
import time
from dataclasses import dataclass

from agents.client import Answer, Client
from agents.errors import AgentError, UnknownFate, Unreached
from agents.frame import FrameHead
from agents.ledger import Ledger
from agents.own_log import log
from agents.quarantine import Quarantine
from agents.route import Route
from agents.spool import Spool

SENDERS = 2  # one block on the way while another is being journalled; more only crowd the collector
FIRST_BACKOFF_S = 0.2
MAX_BACKOFF_S = 15.0
MAX_RETRY_AFTER_S = 300.0  # a collector that says more is mistaken: its operator would wait for us in vain
LOG_EVERY_S = 10.0  # an outage is one line now and then, not one per attempt
CLAIM_S = 0.5


@dataclass(slots=True)
class Exports:
    """What the senders have seen since the process began, for /metrics."""

    requests: int = 0
    refused: int = 0
    unknown: int = 0


class Exporter:
    """
    A few senders that empty the spool.

    ``stop`` lets them finish what is there; ``abandon`` makes them leave it for the next start.
    """

    def __init__(
        self, spool: Spool, ledger: Ledger, route: Route, quarantine: Quarantine, key: str | None
    ) -> None:
        self._spool = spool
        self._ledger = ledger
        self._route = route
        self._quarantine = quarantine
        self._key = key
        self._draining = threading.Event()
        self._abandoned = threading.Event()
        self._quiet_until = 0.0
        self.seen = Exports()
        self._threads = [
            threading.Thread(target=self._run, name=f"sender-{n}", daemon=True) for n in range(SENDERS)
        ]

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def drain(self, timeout_s: float) -> bool:
        """
        Send what waits, then stop.

        Returns:
            True when the spool is empty; False when time ran out and blocks stay for the next start.
        """
        self._draining.set()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        emptied = not any(thread.is_alive() for thread in self._threads)
        self._abandoned.set()
        for thread in self._threads:
            thread.join(1.0)
        return emptied

    def _run(self) -> None:
        clients: dict[str, Client] = {}
        while not self._abandoned.is_set():
            claimed = self._spool.claim(0.0 if self._draining.is_set() else CLAIM_S)
            if claimed is not None:
                self._deliver(clients, *claimed)
            elif self._draining.is_set():
                break
        for client in clients.values():
            client.close()

    def _deliver(self, clients: dict[str, Client], head: FrameHead, body: bytes) -> None:
        """Try until the block is settled or we are told to leave it."""
        refusals = 0
        while not self._abandoned.is_set():
            url = self._route.begin(head.sequence)
            client = clients.setdefault(url, Client(url, self._key))
            try:
                wait_s = self._attempt(client, head, body, refusals)
            except OSError as error:
                wait_s = self._disk_trouble(error)
            if wait_s is None:
                self._route.settled(head.sequence)
                self._spool.settled(head)
                return
            refusals += 1
            self._abandoned.wait(wait_s)

    def _attempt(self, client: Client, head: FrameHead, body: bytes, refusals: int) -> float | None:
        """Send once; the answer is how long to wait before the next attempt, None when the block is settled."""
        self.seen.requests += 1
        try:
            answer = client.post(head.path, _headers(head), body)
        except UnknownFate as error:
            self.seen.unknown += 1
            self._route.unknown(head.sequence, client.url)
            self._say(error)
            return (
                0.0 if refusals == 0 else backoff_s(refusals)
            )  # most often an idle connection that was closed
        except Unreached as error:
            return self._refused(client.url, head, error, refusals, None)
        if 200 <= answer.status < 300:
            self._ledger.shipped(head, duplicate=is_duplicate(answer))
            return None
        if 400 <= answer.status < 500 and answer.status not in {408, 429}:
            self._reject(head, body, answer)
            return None
        refusal = AgentError(
            "refused", f"{client.url}{head.path} answered {answer.status}: {answer.body[:200]!r}"
        )
        return self._refused(client.url, head, refusal, refusals, answer.headers.get("retry-after"))

    def _refused(
        self, url: str, head: FrameHead, error: AgentError, refusals: int, retry_after: str | None
    ) -> float:
        self.seen.refused += 1
        self._say(error)
        if self._route.not_taken(head.sequence, url) and retry_after is None and refusals == 0:
            return 0.0
        asked = float(retry_after) if retry_after and retry_after.isdigit() else 0.0
        return max(min(asked, MAX_RETRY_AFTER_S), backoff_s(refusals))

    def _reject(self, head: FrameHead, body: bytes, answer: Answer) -> None:
        path = self._quarantine.put(head, body, answer)
        self._ledger.rejected(head)
        log(
            "error",
            "block_rejected",
            key=head.key,
            path=head.path,
            status=answer.status,
            answer=answer.body[:200].decode(errors="replace"),
            quarantined_as=path,
        )

    def _disk_trouble(self, error: OSError) -> float:
        self._say(AgentError("disk", f"the data directory cannot be written: {error}"))
        return 1.0

    def _say(self, error: AgentError) -> None:
        if time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + LOG_EVERY_S
            log("warning", "block_refused", code=error.code, reason=error.message)


def backoff_s(refusals: int) -> float:
    """Wait a random time up to a bound that doubles with each refusal ("full jitter")."""
    return random.uniform(0, min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(refusals, 10)))  # noqa: S311 - not secret


def is_duplicate(answer: Answer) -> bool:
    """Say whether the collector had the block already."""
    return answer.headers.get(
        "fuseboard-duplicate", ""
    ).lower() == "true" or b'"duplicate":true' in answer.body.replace(b" ", b"")


def _headers(head: FrameHead) -> dict[str, str]:
    """
    Say what the request holds.

    The spool's sequence number joins ``Fuseboard-Source``: a report counts through one, so the ledger can tell for any
    range which of the blocks counted in it are stored.
    """
    source = f"{head.headers['Fuseboard-Source']},sequence={head.sequence}"
    return head.headers | {
        "Fuseboard-Source": source,
        "Content-Encoding": "zstd",
        "Idempotency-Key": head.key,
    }
