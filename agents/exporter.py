"""
Spool to collector: each block is sent until a collector has said 2xx, or 4xx for good (``answers`` says which is which).

Tries have no end. Between them lies what the collector asks for in ``Retry-After`` (seconds or a date, at most
``answers.MAX_RETRY_AFTER_S``), else a full-jitter back-off, or the time of its breaker (``health``, ``own_breaker``). A block that has to
wait is shelved, in memory as well as on disk, so that those behind it go on where another collector takes them.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from agents.access import Access
from agents.answers import is_duplicate, is_second_frame, is_web_page, judged, retry_after_s
from agents.client import Answer, Clients
from agents.errors import AgentError, UnknownFate, Unreached
from agents.frame import FrameHead
from agents.headers import headers_of
from agents.health import backoff_s
from agents.ledger import Ledger
from agents.own_log import log
from agents.quarantine import Kept, Quarantine
from agents.route import Permit, Route
from agents.spool import Spool

REPEATED = "repeated"  # the reason under which a second frame of one request is counted
SENDERS = 2  # one block on the way while another is being journalled; more only crowd the collector
SHELF_BYTES = 8 << 20  # what may wait in memory; beyond, nothing new is taken from the spool
KEY_RETRY_S = 30.0  # ± half: a wrong key needs a person, or a file that is replaced
DISK_RETRY_S = 1.0
LOG_EVERY_S = 10.0  # an outage is one line now and then, not one per attempt
CLAIM_S = 0.5
NEEDS_A_PERSON = frozenset({"key_refused", "untrusted", "not_a_collector", "disk", "unforeseen"})


@dataclass(slots=True)
class Exports:
    """What has been seen since the process began, for /metrics."""

    requests: int = 0
    refused: int = 0
    unknown: int = 0
    answered: int = 0
    key_refused: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Parcel:
    """A block on its way; ``not_before`` is monotonic, *again* says that it comes from the quarantine."""

    head: FrameHead
    body: bytes
    again: bool = False
    tries: int = 0
    not_before: float = 0.0


class Exporter:
    """
    A few senders that empty the spool.

    Attributes:
        on_success: Called after each block that a collector whose breaker is closed has acknowledged.
    """

    def __init__(
        self, spool: Spool, ledger: Ledger, route: Route, quarantine: Quarantine, access: Access
    ) -> None:
        self._spool = spool
        self._ledger = ledger
        self._route = route
        self._quarantine = quarantine
        self._access = access
        self._draining = threading.Event()
        self._abandoned = threading.Event()
        self._lock = threading.Lock()
        self._shelf: list[Parcel] = []
        self._quiet_until: dict[str, float] = {}
        self.seen = Exports()
        self.on_success: Callable[[], None] = lambda: None
        self._threads = [
            threading.Thread(target=self._run, name=f"sender-{n}", daemon=True) for n in range(SENDERS)
        ]

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def reconfigure(self, access: Access) -> None:
        """Reach collectors another way from the next request on."""
        self._access = access

    def send_again(self, kept: Kept) -> None:
        """Send a quarantined block; the quarantine is told what becomes of it, the ledger has settled it before."""
        self._put_away(Parcel(kept.head, kept.body, again=True))

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
        clients = Clients()
        while not self._abandoned.is_set():
            try:
                found = self._take()
            except OSError as error:
                self._disk_trouble(error)
                continue
            if found is not None:
                self._send(clients, *found)
            elif self._draining.is_set() and not self._shelf:
                break
        clients.close()

    def _take(self) -> tuple[Parcel, Permit] | None:
        """
        Give the next block that may go, and leave to send it; None after a short while without one.

        Raises:
            OSError: The disk does not keep where the block would go.
        """
        found, shelved_s = self._from_shelf()
        if found is not None:
            return found
        route_s = self._route.wait_s()
        if route_s > 0 or self._is_shelf_full():
            self._abandoned.wait(min(shelved_s, route_s or CLAIM_S, CLAIM_S))
            return None
        patience_s = min(shelved_s, CLAIM_S)
        claimed = self._spool.claim(0.0 if self._draining.is_set() else patience_s)
        if claimed is not None:
            self._put_away(Parcel(*claimed))
            return self._from_shelf()[0]
        if self._draining.is_set() and self._shelf:
            self._abandoned.wait(patience_s)
        return None

    def _is_shelf_full(self) -> bool:
        """Say whether nothing new may be taken: too much waits in memory, or all of it for the one collector."""
        shelved = list(self._shelf)
        if sum(len(parcel.body) for parcel in shelved) > SHELF_BYTES:
            return True
        return bool(shelved) and self._route.is_closed_to_more()

    def _from_shelf(self) -> tuple[tuple[Parcel, Permit] | None, float]:
        """Take the oldest shelved block that may go; without one, the seconds until one may (infinite: none is there)."""
        wait_s = float("inf")
        with self._lock:
            for parcel in self._shelf:
                left_s = parcel.not_before - time.monotonic()
                permit = left_s if left_s > 0 else self._route.begin(parcel.head.sequence)
                if isinstance(permit, Permit):
                    self._shelf.remove(parcel)
                    return (parcel, permit), 0.0
                wait_s = min(wait_s, permit)
        return None, wait_s

    def _put_away(self, parcel: Parcel) -> None:
        with self._lock:
            self._shelf.append(parcel)
            self._shelf.sort(key=lambda it: it.head.sequence)

    def _send(self, clients: Clients, parcel: Parcel, permit: Permit) -> None:
        """Send once and do what the answer says."""
        access, began = self._access, time.monotonic()
        self.seen.requests += 1
        try:
            client = clients.get(permit.url, access)
            answer = client.post(parcel.head.path, headers_of(parcel.head), parcel.body)
            self.seen.answered += 1
            self.seen.seconds += time.monotonic() - began
            self._judge(parcel, permit, answer, access)
        except UnknownFate as error:
            self._unknown(parcel, permit, error)
        except Unreached as error:
            self._refused(parcel, permit, error, 0.0, failed=True)
        except OSError as error:
            self._refused(parcel, permit, _disk_error(error), DISK_RETRY_S, failed=False)
        except Exception as error:  # noqa: BLE001 - a sender that ends would end the shipping without a word
            unforeseen = AgentError("unforeseen", f"{parcel.head.key} could not be sent: {error!r}")
            self._refused(parcel, permit, unforeseen, 0.0, failed=True)

    def _judge(self, parcel: Parcel, permit: Permit, answer: Answer, access: Access) -> None:
        """Follow the table of ``answers``. OSError: the quarantine cannot be written."""
        meaning = judged(answer)
        if meaning == "taken":
            if parcel.again:
                self._quarantine.taken(parcel.head.sequence)
            else:
                self._book(parcel.head, answer)
            if self._settled(parcel, permit):
                self.on_success()
        elif meaning == "rejected":
            self._reject(parcel, answer)
            self._settled(parcel, permit)
        elif meaning == "unknown":
            self._unknown(parcel, permit, _said(permit.url, parcel.head, answer))
        elif answer.status == 401:
            self._key_refused(parcel, permit, answer, access)
        else:
            asked_s = retry_after_s(answer.headers.get("retry-after", ""), time.time())
            failed = answer.status in {408, 503}
            self._refused(parcel, permit, _said(permit.url, parcel.head, answer), asked_s, failed=failed)

    def _book(self, head: FrameHead, answer: Answer) -> None:
        """Count a block that was taken; a request that the relay kept twice (we were killed before it was answered) is stored once."""
        if is_second_frame(answer, head.sequence):
            self._ledger.dropped(head, REPEATED)
        else:
            self._ledger.shipped(head, duplicate=is_duplicate(answer))

    def _settled(self, parcel: Parcel, permit: Permit) -> bool:
        is_well = self._route.taken(permit, parcel.head.sequence)
        if not parcel.again:
            self._spool.settled(parcel.head)
        return is_well

    def _unknown(self, parcel: Parcel, permit: Permit, error: AgentError) -> None:
        self.seen.unknown += 1
        self._route.unknown(permit, parcel.head.sequence)
        self._again(parcel, error)

    def _refused(
        self, parcel: Parcel, permit: Permit, error: AgentError, asked_s: float, *, failed: bool
    ) -> None:
        self.seen.refused += 1
        self._route.refused(permit, parcel.head.sequence, asked_s, failed=failed)
        self._again(parcel, error)

    def _key_refused(self, parcel: Parcel, permit: Permit, answer: Answer, access: Access) -> None:
        """Wait for another key: in the key's file, or by a reload."""
        self.seen.refused += 1
        self.seen.key_refused += 1
        asked_s = 0.0 if access.key.reread() else KEY_RETRY_S * random.uniform(0.5, 1.5)  # noqa: S311 - not secret
        self._route.refused(permit, parcel.head.sequence, asked_s, failed=False, key_refused=True)
        said = _said(permit.url, parcel.head, answer)
        self._again(parcel, AgentError("key_refused", f"setting key: {said.message}"))

    def _again(self, parcel: Parcel, error: AgentError) -> None:
        """Shelve a block; the first tries go as soon as a collector lets them, the others have a back-off of their own."""
        parcel.tries += 1
        parcel.not_before = time.monotonic() + (backoff_s(parcel.tries) if parcel.tries > 2 else 0.0)
        self._put_away(parcel)
        self._say(error)

    def _reject(self, parcel: Parcel, answer: Answer) -> None:
        head = parcel.head
        path = self._quarantine.put(head, parcel.body, answer)
        if not parcel.again:
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

    def _disk_trouble(self, error: OSError) -> None:
        self._say(_disk_error(error))
        self._abandoned.wait(DISK_RETRY_S)

    def _say(self, error: AgentError) -> None:
        now = time.monotonic()
        if now >= self._quiet_until.get(error.code, 0.0):
            self._quiet_until[error.code] = now + LOG_EVERY_S
            level = "error" if error.code in NEEDS_A_PERSON else "warning"
            event = "key_refused" if error.code == "key_refused" else "block_refused"
            log(level, event, code=error.code, reason=error.message)


def _said(url: str, head: FrameHead, answer: Answer) -> AgentError:
    code = "not_a_collector" if is_web_page(answer) or answer.status == 407 else "refused"
    return AgentError(code, f"{url}{head.path} answered {answer.status}: {answer.body[:200]!r}")


def _disk_error(error: OSError) -> AgentError:
    return AgentError("disk", f"the data directory cannot be written: {error}")
