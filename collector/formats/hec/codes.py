"""
What HEC says: its codes for success and errors, health, and acknowledgements.

A 200 here is sent after the fsync, so an acknowledgement has nothing left to wait for: a request on a channel
(``X-Splunk-Request-Channel``) gets an ``ackId``, and whoever asks for it is told ``true``.

Source: https://docs.splunk.com/Documentation/Splunk/latest/Data/TroubleshootHTTPEventCollector, …/AboutHECIDXAck
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

from collector.errors import FuseboardError, Refused
from collector.receive.protocol import Response

# Our slug -> HEC's code and text; by status for the others.
_BY_CODE = {
    "key_missing": (2, "Token is required"), "key_unknown": (4, "Invalid token"), "empty_body": (5, "No data"),
    "hec_event_missing": (12, "Event field is required"), "hec_event_blank": (13, "Event field cannot be blank"),
    "hec_fields": (15, "Error in handling indexed fields"), "key_role": (1, "Token disabled"),
}  # fmt: skip
_BY_STATUS = {
    400: (6, "Invalid data format"),
    401: (3, "Invalid authorization"),
    403: (4, "Invalid token"),
    413: (6, "Invalid data format"),
    429: (9, "Server is busy"),
    503: (9, "Server is busy"),
}
_HEALTHY = {"text": "HEC is healthy", "code": 17}


def answer(batch_id: str, size: int, records: int) -> dict[str, Any]:
    """Return what is kept for a repeat."""
    del size, records
    return {"batch": batch_id, "acked": False}


def respond(given: Mapping[str, Any], duplicate: bool) -> Response:
    """Return success; with an ``ackId`` for a request on a channel."""
    if "acks" in given:
        return Response(200, msgspec.json.encode({"acks": given["acks"]}))
    body: dict[str, Any] = {"text": "Success", "code": 0}
    if given.get("acked"):
        body["ackId"] = zlib.crc32(str(given["batch"]).encode())
    return Response(
        200, msgspec.json.encode(body), headers={"fuseboard-duplicate": "true"} if duplicate else {}
    )


def refuse(error: FuseboardError) -> Response:
    """Return HEC's code; ``invalid-event-number`` where one event is at fault, our own words beside."""
    code, text = _BY_CODE.get(error.code) or _BY_STATUS.get(error.status, (8, "Internal server error"))
    body: dict[str, Any] = {"text": text, "code": code, "fuseboard": f"{error.code}: {error.message}"}
    if error.param is not None and error.param.isdigit():
        body["invalid-event-number"] = int(error.param)
    headers = {"retry-after": str(max(1, round(error.retry_after_s)))} if isinstance(error, Refused) else {}
    # HEC's clients send again on 503, and do not know 429
    return Response(503 if error.status == 429 else error.status, msgspec.json.encode(body), headers=headers)


def probe(method: str, path: str, headers: Mapping[bytes, bytes]) -> Response | None:
    """Answer a question of health."""
    del headers
    if method == "GET" and path in {"/services/collector/health", "/services/collector/health/1.0"}:
        return Response(200, msgspec.json.encode(_HEALTHY))
    return None
