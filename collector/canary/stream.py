"""
One number as a line, and the requests that carry it: what an agent would send, over a socket to our own listener.

Every line has the same length, so the counters of the stream's reports follow from the number alone.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from collector import __version__
from collector.canary.memory import Remembered
from collector.errors import Refused
from collector.read.own import OWN_SERVICE

_SOURCE = "canary"
# Slower is as good as no answer: a request of 200 bytes waits for one fsync.
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Door:
    """
    Our own listener.

    Args:
        host: Address to connect to.
        port: Its port.
        secret: Key to send; "" = none is required.
    """

    host: str
    port: int
    secret: str = ""

    def post(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """
        Send one request.

        Raises:
            Refused: No answer, or anything but a 2xx.
        """
        key = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=_TIMEOUT_S)
        try:
            # the guard knows loopback by its name, whatever address we listen on
            connection.request("POST", path, body, {"Host": "localhost", **key, **headers})
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Refused(
                "canary_refused", f"{path} does not answer: {error or type(error).__name__}"
            ) from error
        finally:
            connection.close()
        if not 200 <= response.status < 300:
            said = text[:200].decode(errors="replace")
            raise Refused("canary_refused", f"{path} answered {response.status}: {said}")


def send_line(door: Door, sent: Remembered) -> None:
    """Send *sent*; the same number is the same request, however often it is sent."""
    source = {
        "agent": agent_of(sent.instance),
        "kind": _SOURCE,
        "path": _SOURCE,
        "generation": sent.instance,
        "offset": sent.number,
        "end": sent.number + 1,
        "sequence": sent.number,
    }
    headers = {
        "Fuseboard-Resource": f"service.name={OWN_SERVICE}",
        "Fuseboard-Source": ",".join(f"{name}={quote(str(value))}" for name, value in source.items()),
        "Fuseboard-Format": "json",
        "Idempotency-Key": f"{agent_of(sent.instance)}-{sent.number}",
    }
    door.post("/v1/lines", headers, line_of(sent))


def send_report(door: Door, sent: Remembered, started_at: datetime, *, host: str) -> None:
    """Report the counters as they are when *sent* has been acknowledged: everything up to it is shipped."""
    size = sent.number * len(line_of(sent))
    counted = {"service": OWN_SERVICE, "env": "", "signal": "logs", "source": _SOURCE, "dropped": {}}
    amounts = {
        f"{what}_{unit}": amount
        for what in ("read", "shipped")
        for unit, amount in (("blocks", sent.number), ("bytes", size))
    }
    report = {
        "agent": agent_of(sent.instance),
        "name": _SOURCE,
        "version": __version__,
        "host": host,
        "at": rfc3339(datetime.now(UTC)),
        "sequence": sent.number,
        "counted_through": sent.number,
        "started_at": rfc3339(started_at),
        "spool": {"blocks": 0, "bytes": 0, "oldest_age_s": 0.0},
        "lag_bytes": 0,
        "counters": [counted | amounts],
    }
    door.post("/v1/reports", {"Content-Type": "application/json"}, json.dumps(report).encode())


def line_of(sent: Remembered) -> bytes:
    """Write the line of a number."""
    number = f"{sent.number:012d}"
    fields = {
        "timestamp": rfc3339(sent.sent_at),
        "level": "debug",
        "message": f"canary {number}",
        "canary.instance": sent.instance,
        "canary.number": number,
    }
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def agent_of(instance: str) -> str:
    """Name the stream as an agent."""
    return f"canary-{instance}"


def rfc3339(at: datetime) -> str:
    """Write an aware time with microseconds, always the same length."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
