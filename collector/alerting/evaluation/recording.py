"""
Recording rules: samples go back in through our own listener, as a ``remote_write`` that anybody else could have sent.

They are written to ``state/`` in the transaction that says that their group was evaluated, and sent from there until they are acknowledged, always under the
same ``Idempotency-Key``: killed anywhere in between, the journal has them once. The table is short: a row lives for one fsync of the journal.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, delete, insert, select

from collector.alerting.evaluation.labelling import METRIC_NAME, Finding
from collector.read.own import OWN_SERVICE
from collector.state import State
from collector.state.tables import recordings

log = structlog.get_logger(__name__)

_PATH = "/api/v1/write"
_TIMEOUT_S = 10.0
_AT_ONCE = 100
# What our own door has not taken for this long it would store with another time.
_KEPT = timedelta(days=1)


@dataclass(frozen=True)
class Recording:
    """The samples of one group at one *slot*; *id* is their ``Idempotency-Key``."""

    id: str
    slot: datetime
    body: bytes


def recording(group: str, slot: datetime, samples: Mapping[str, Iterable[Finding]]) -> Recording:
    """Give what is sent of *samples*, findings by the name they are recorded as."""
    at_ms = round(slot.timestamp() * 1000)
    series = b"".join(
        _field(1, _series({METRIC_NAME: name, **finding.labels}, finding.sample.value, at_ms))
        for name, found in samples.items()
        for finding in found
    )
    return Recording(f"rules-{group}-{at_ms}", slot, series)


def _series(labels: Mapping[str, str], value: float, at_ms: int) -> bytes:
    """Write a TimeSeries of remote_write 1.0: labels sorted by name, one sample."""
    told = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, text.encode()))
        for name, text in sorted(labels.items())
    )
    return told + _field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(at_ms))


def _field(number: int, body: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def write(tx: Connection, made: Iterable[Recording]) -> int:
    """Keep *made* until they are acknowledged; give their number."""
    rows = [
        {
            "id": one.id,
            "slot_at": one.slot,
            "body": base64.b64encode(gzip.compress(one.body, 1, mtime=0)).decode(),
        }
        for one in made
    ]
    if rows:
        tx.execute(delete(recordings).where(recordings.c.id.in_([row["id"] for row in rows])))
        tx.execute(insert(recordings), rows)
    return len(rows)


@dataclass(frozen=True, slots=True)
class RecordingDoor:
    """Our own listener, and the key it asks for; "" = none."""

    host: str
    port: int
    secret: str = ""

    def send(self, key: str, body: bytes) -> tuple[int, str]:
        """Send a gzipped WriteRequest; give the answer's status and beginning, 0 = there was none."""
        headers = {
            "Host": "localhost",
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "gzip",
            "Idempotency-Key": key,
            "Fuseboard-Resource": f"service.name={OWN_SERVICE}",
        }
        if self.secret:
            headers["Authorization"] = f"Bearer {self.secret}"
        connection = http.client.HTTPConnection(self.host, self.port, timeout=_TIMEOUT_S)
        try:
            connection.request("POST", _PATH, body, headers)
            response = connection.getresponse()
            return response.status, response.read()[:200].decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error) or type(error).__name__
        finally:
            connection.close()


class Recorder:
    """
    Sends what is kept; used by one thread.

    Args:
        state: Where it is kept.
        mine: Whether it is ours to send: what two collectors send stands in two journals.
    """

    def __init__(self, state: State, mine: Callable[[Connection, datetime], bool]) -> None:
        self._state = state
        self._mine = mine
        self.door: RecordingDoor | None = None
        self.trouble: str | None = None

    def send_all(self, now: datetime) -> int:
        """
        Send the oldest first, until one is not taken; give the number of those that are done.

        Raises:
            Unavailable: The state database refused; the next call sends again.
        """
        if self.door is None:
            return 0
        done = list(self._sent(self.door, now))
        if done:
            with self._state.write() as tx:
                tx.execute(delete(recordings).where(recordings.c.id.in_(done)))
        return len(done)

    def _sent(self, door: RecordingDoor, now: datetime) -> Iterator[str]:
        with self._state.read() as tx:
            if not self._mine(tx, now):
                return
            rows = tx.execute(select(recordings).order_by(recordings.c.slot_at).limit(_AT_ONCE)).all()
        for row in rows:
            status, said = door.send(row.id, base64.b64decode(row.body))
            # 409: it is there, as it was when this slot was evaluated first.
            if 200 <= status < 300 or status == 409:
                self.trouble = None
                yield row.id
            elif 400 <= status < 500 and status not in {408, 429}:
                log.error("recording_rejected", recording=row.id, status=status, said=said)
                yield row.id
            elif now - row.slot_at > _KEPT:
                log.error("recording_dropped", recording=row.id, status=status, said=said)
                yield row.id
            else:
                self.trouble = f"{_PATH} answered {status}: {said}"
                return
