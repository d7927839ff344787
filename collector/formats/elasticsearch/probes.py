"""
What clients of Elasticsearch ask before they send, answered so that they do.

``GET /`` (Beats, Logstash and the libraries read the version and refuse a server without the product's header), ``GET /_license`` and
``/_xpack`` (Beats, Logstash), ``GET /_cluster/health`` and ``/_nodes`` (sniffing libraries are told nothing to sniff), index templates, ILM
policies and pipelines: they are there, whatever their name, and may be put. A browser that asks for ``/`` wants the pages: it accepts HTML.

Source: elastic/beats libbeat/esleg/eslegclient, logstash-output-elasticsearch lib/logstash/outputs/elasticsearch/http_client (read in November 2026)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from collector.receive.protocol import Response

# The version whose bulk API this is; clients of 7 and 8 speak to it.
VERSION = "8.19.0"
PRODUCT = {"x-elastic-product": "Elasticsearch"}
_ROOT: dict[str, Any] = {
    "name": "fuseboard",
    "cluster_name": "fuseboard",
    "cluster_uuid": "fuseboard",
    "version": {
        "number": VERSION,
        "build_flavor": "default",
        "build_type": "tar",
        "build_hash": "unknown",
        "build_date": "2026-01-01T00:00:00.000Z",
        "build_snapshot": False,
        "lucene_version": "9.12.2",
        "minimum_wire_compatibility_version": "7.17.0",
        "minimum_index_compatibility_version": "7.0.0",
    },
    "tagline": "You Know, for Search",
}
_LICENSE = {"license": {"status": "active", "uid": "fuseboard", "type": "basic", "mode": "basic"}}
_XPACK = {
    "license": _LICENSE["license"],
    "features": {
        "ilm": {"available": True, "enabled": True},
        "security": {"available": True, "enabled": False},
    },
}
_HEALTH = {
    "cluster_name": "fuseboard",
    "status": "green",
    "timed_out": False,
    "number_of_nodes": 1,
    "number_of_data_nodes": 1,
}
_ANSWERS: dict[str, dict[str, Any]] = {
    "/_license": _LICENSE,
    "/_xpack": _XPACK,
    "/_cluster/health": _HEALTH,
    "/_nodes": {"cluster_name": "fuseboard", "nodes": {}},
    "/_nodes/http": {"cluster_name": "fuseboard", "nodes": {}},
    "/_cat/health": {},
}
# What a shipper sets up before it sends; there is nothing to set up here, so it is there already and may be put again.
_CLIENTS = (b"elastic", b"beat", b"logstash", b"manticore", b"vector", b"fluent")
_SET_UP = (
    "/_index_template/",
    "/_template/",
    "/_component_template/",
    "/_ilm/policy/",
    "/_ingest/pipeline/",
    "/_data_stream/",
    "/_alias/",
)


def probe(method: str, path: str, headers: Mapping[bytes, bytes]) -> Response | None:
    """Answer one of the questions above; ``None`` for anything else."""
    if path == "/" and method in {"GET", "HEAD"}:
        return _said(_ROOT) if _is_client(headers) else None
    if method in {"GET", "HEAD"} and path in _ANSWERS:
        return _said(_ANSWERS[path])
    if path.startswith(_SET_UP) and method in {"GET", "HEAD", "PUT", "POST"}:
        return _said({"acknowledged": True} if method in {"PUT", "POST"} else {})
    return None


def _is_client(headers: Mapping[bytes, bytes]) -> bool:
    """Say whether ``/`` is asked for by a client of Elasticsearch: by what it accepts or calls itself. Everybody else wants the pages."""
    accept, agent = headers.get(b"accept", b"*/*").lower(), headers.get(b"user-agent", b"").lower()
    return b"text/html" not in accept and (b"json" in accept or any(name in agent for name in _CLIENTS))


def _said(body: dict[str, Any]) -> Response:
    return Response(200, msgspec.json.encode(body), headers=PRODUCT)
