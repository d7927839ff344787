"""The promise made to a client of Elasticsearch's bulk API: 200 with a result per item; errors in Elasticsearch's own shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from collector.errors import FuseboardError, Refused
from collector.formats.elasticsearch import items
from collector.formats.elasticsearch.probes import PRODUCT, probe
from collector.receive.protocol import Judged, Protocol, Response

# Elasticsearch's names for what its clients look at: 429 and 503 are sent again, the rest is not.
_TYPES = {
    400: "parse_exception", 401: "security_exception", 403: "security_exception", 409: "version_conflict_engine_exception",
    413: "content_too_long_exception", 429: "es_rejected_execution_exception", 503: "cluster_block_exception",
}  # fmt: skip


def judge(body: bytes, headers: Mapping[bytes, bytes]) -> Judged:
    """
    Judge a bulk request item by item; refused items are answered, and only they are left out.

    Raises:
        Malformed: ``bad_bulk``.
    """
    bulk = items.read(body)
    index = _index(headers.get(b":path", b"").decode())
    told = {
        "index": index,
        "runs": bulk.runs,
        "refused": {str(place): said for place, said in bulk.refused.items()},
    }
    return Judged(bulk.taken, told=told, kept=None if bulk.body == body else bulk.body)


def answer(batch_id: str, size: int, records: int) -> dict[str, Any]:
    """Return what is kept for a repeat, beside what the judge tells."""
    del size, records
    return {"batch": batch_id, "index": "", "runs": [], "refused": {}}


def respond(given: Mapping[str, Any], duplicate: bool) -> Response:
    """Return 200 with a result per item, in the order of the request."""
    said = list(items.answers(given["batch"], given.get("index", ""), given["runs"], given["refused"]))
    body = {"took": 0, "errors": bool(given["refused"]), "items": said}
    headers = (
        PRODUCT
        | {"fuseboard-batch": str(given["batch"])}
        | ({"fuseboard-duplicate": "true"} if duplicate else {})
    )
    return Response(200, msgspec.json.encode(body), headers=headers)


def refuse(error: FuseboardError) -> Response:
    """Return the error as Elasticsearch words one; its reason begins with our slug."""
    cause = {"type": _TYPES.get(error.status, "exception"), "reason": f"{error.code}: {error.message}"}
    body = {"error": {"root_cause": [cause], **cause}, "status": error.status}
    retry = {"retry-after": str(max(1, round(error.retry_after_s)))} if isinstance(error, Refused) else {}
    return Response(error.status, msgspec.json.encode(body), headers=PRODUCT | retry)


def declare(path: str, query: Mapping[str, str]) -> Mapping[str, str]:
    """Return the path's index, for items that name none."""
    del query
    index = _index(path)
    return {"elasticsearch.index": index} if index else {}


def _index(path: str) -> str:
    return path.removesuffix("/_bulk").strip("/")


PROTOCOL = Protocol(
    name="elasticsearch",
    paths=("/_bulk",),
    suffix="/_bulk",
    group="elasticsearch",
    signal="logs",
    tables=("logs",),
    judge=judge,
    answer=answer,
    respond=respond,
    refuse=refuse,
    methods=("POST", "PUT"),
    probe=probe,
    declare=declare,
)
