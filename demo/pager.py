"""
The webhook that wakes somebody: a receiver for the sample shop's alerts, ``python -m demo pager --log FILE``.

Checks each delivery's Standard Webhooks signature as any receiver should, prints a line per alert, and appends what it got to a file
as JSON lines: ``{"received_at", "webhook_id", "verified", "type", "data"}``. The secret comes as ``DEMO_PAGER_SECRET`` (``whsec_…``).
The port it listens on is the first line of its output.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from demo.errors import UsageError

# Older or newer than this and it may be a recording played again.
_TOLERANCE_S = 300
_MOST_BYTES = 1 << 20


def key_of(secret: str) -> bytes:
    """
    Return the signing key of *secret*.

    Raises:
        UsageError: Not ``whsec_`` and base64.
    """
    if not secret.startswith("whsec_"):
        raise UsageError(
            "DEMO_PAGER_SECRET: must begin with 'whsec_'; it is the receiver's secret in fuseboard.toml"
        )
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError as error:  # binascii.Error among them
        raise UsageError(f"DEMO_PAGER_SECRET: what follows 'whsec_' is not base64: {error}") from error


def verified(key: bytes, headers: Mapping[str, str], body: bytes, now_s: float) -> bool:
    """Whether one of the signatures is *key*'s over id, time and body, and the time is near *now_s*."""
    identity, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not stamp.isdigit() or abs(now_s - int(stamp)) > _TOLERANCE_S:
        return False
    signed = f"{identity}.{stamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(one.encode(), expected.encode()) for one in given)


class Pager(ThreadingHTTPServer):
    """
    The listening receiver.

    Args:
        key: From :func:`key_of`.
        log: File deliveries are appended to.
        port: 0 = any free one.
    """

    daemon_threads = True

    def __init__(self, key: bytes, log: Path, port: int = 0) -> None:
        self.key = key
        self.log = log
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Pager

    def do_POST(self) -> None:
        """Check, write down, answer 204; 401 for a signature that is not ours, 400 for a body that is not JSON."""
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _MOST_BYTES))
        good = verified(self.server.key, {k.lower(): v for k, v in self.headers.items()}, body, time.time())
        try:
            event = json.loads(body)
        except ValueError:
            self._answer(400)
            return
        self._keep(event, verified=good)
        self._answer(204 if good else 401)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Keep quiet: deliveries are what is told."""

    def _keep(self, event: dict[str, Any], *, verified: bool) -> None:
        row = {
            "received_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "webhook_id": self.headers.get("webhook-id"),
            "verified": verified,
            "type": event.get("type"),
            "data": event.get("data"),
        }
        with self.server.log.open("a") as out:
            out.write(json.dumps(row) + "\n")
        summary = (event.get("data") or {}).get("annotations", {}).get("summary", "")
        signature = "signature good" if verified else "SIGNATURE WRONG"
        print(f"pager: {event.get('type')}: {summary} ({signature})", flush=True)  # noqa: T201 - this is the page

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def run(secret: str, log: Path, port: int) -> None:
    """Print the port, then receive until the process is ended."""
    log.parent.mkdir(parents=True, exist_ok=True)
    pager = Pager(key_of(secret), log, port)
    print(pager.server_address[1], flush=True)  # noqa: T201 - whoever started it reads it
    pager.serve_forever()
