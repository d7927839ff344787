"""
OTLP/HTTP and breaker transitions on loopback, for the service beside us.

200 is answered after the spool's fsync, so the service may forget what it sent, and the collector may be away. Identity:
the client's own ``Idempotency-Key``; else, for what carries times (OTLP, transitions with ``at``), a hash of the body, so its
retry after a lost answer is the same block; else every request is a block of its own. A repeat within ``RECENT_S`` is
recognised here and not read again, wherever the first is by now; after a restart the collector recognises it by its key.
``relay_http`` speaks HTTP, ``relay_request`` judges a request.
"""

import hashlib
import threading
import time

from agents.block import Block, Position
from agents.errors import BadRequest, SpoolUnavailable, WrongSetting
from agents.intake import Intake
from agents.ledger import Ledger
from agents.own_log import log
from agents.settings_values import RelaySettings
from agents.sources import Origin, counted_generation
from agents.sources.relay_http import RelayServer
from agents.sources.relay_request import SIGNALS, carries_time

RECENT_S = 300.0  # as long as the collector remembers a body without a key (design §4)
RECENT = 4096  # identities remembered, some 300 bytes each


class RelaySource:
    """The listener; ``address`` is known once it is made."""

    def __init__(self, settings: RelaySettings, origin: Origin, intake: Intake, ledger: Ledger) -> None:
        """
        Bind the address.

        Raises:
            WrongSetting: It is taken.
        """
        assert settings.listen is not None
        self.listen = settings.listen
        self.max_body_bytes = settings.max_body_bytes
        self._lock = threading.Lock()
        self._recent = Recent()
        self._numbers: dict[str, int] = {}
        self._closed = False
        self._ledger = ledger
        self._set(origin, intake)
        self._server = _bound(settings.listen, self)
        self.address = f"http://{settings.listen[0]}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="relay", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._numbers = {
            path: self._ledger.sequence_of(stream.source) for path, stream in self._streams.items()
        }
        self._thread.start()
        log("info", "relay_ready", address=self.address)

    @property
    def turned_away(self) -> int:
        """Connections beyond the bound."""
        return self._server.turned_away

    def adopt(self, settings: RelaySettings, origin: Origin, intake: Intake) -> None:
        """Go on at the same address under other settings; no connection is touched."""
        with self._lock:
            self.max_body_bytes = settings.max_body_bytes
            self._set(origin, intake)

    def stop(self) -> None:
        """Take nothing more; what was answered 200 is in the spool."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()
        with self._lock:
            self._closed = True

    def lag_bytes(self) -> int:
        """Give 0: what was not answered is still the service's."""
        return 0

    def take(self, path: str, content_type: str, body: bytes, client_key: str | None) -> bool:
        """
        Make one request's body durable; True when it was there already.

        Raises:
            NoRoom: The spool is full.
            SpoolUnavailable: The disk refuses.
            BadRequest: 409, another body came under this ``Idempotency-Key``.
        """
        digest = hashlib.sha256(body).hexdigest()[:32]
        identity = self._identity(path, body, digest, client_key)
        with self._lock:
            if self._closed:
                raise SpoolUnavailable("the relay is being stopped")
            intake = self._intake
            repeated = identity is not None and self._recent.knows(identity, digest)
            if not repeated:
                self._write(path, content_type, body, identity)
                if identity is not None:
                    self._recent.add(identity, digest)
        intake.sync()
        return repeated

    def _set(self, origin: Origin, intake: Intake) -> None:
        self._origin = origin
        self._intake = intake
        self._streams = {path: origin.stream(signal, f"relay:{path}") for path, signal in SIGNALS.items()}

    def _write(self, path: str, content_type: str, body: bytes, identity: str | None) -> None:
        number = self._numbers[path]
        self._intake.write(self._block(path, content_type, body, identity, number))
        self._numbers[path] = number + 1

    def _block(self, path: str, content_type: str, body: bytes, identity: str | None, number: int) -> Block:
        stream = self._streams[path]
        position = Position(counted_generation(stream.source), number, number + 1)
        return Block(
            stream=stream,
            path=path,
            key=identity or self._origin.key(position),
            position=position,
            body=body,
            headers=self._origin.headers("relay", path, position) | {"Content-Type": content_type},
        )

    def _identity(self, path: str, body: bytes, digest: str, client_key: str | None) -> str | None:
        if client_key:
            return (
                f"{self._origin.agent}-client-{hashlib.sha256((path + client_key).encode()).hexdigest()[:32]}"
            )
        return f"{self._origin.agent}-body-{digest}" if carries_time(path, body) else None


class Recent:
    """The identities of late, each with the hash of its body; bounded in time and number."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, str]] = {}

    def knows(self, identity: str, digest: str) -> bool:
        """
        Say whether *identity* came of late.

        Raises:
            BadRequest: 409, with another body.
        """
        at, before = self._seen.get(identity, (float("-inf"), ""))
        if time.monotonic() - at > RECENT_S:
            return False
        if before != digest:
            raise BadRequest(
                409, "idempotency_mismatch", "another body came under this Idempotency-Key: give each its own"
            )
        return True

    def add(self, identity: str, digest: str) -> None:
        """Remember it, forgetting the oldest when there are many."""
        self._seen.pop(identity, None)
        self._seen[identity] = (time.monotonic(), digest)
        if len(self._seen) > RECENT:
            del self._seen[next(iter(self._seen))]


def _bound(listen: tuple[str, int], relay: RelaySource) -> RelayServer:
    try:
        return RelayServer(listen, relay)
    except OSError as error:
        raise WrongSetting("relay.listen", f"'{listen[0]}:{listen[1]}' cannot be bound: {error}") from error
