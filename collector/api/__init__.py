"""
The REST API people and dashboards ask: parameters -> ``read/`` and ``health/`` -> JSON.

``v1/``           one file per resource, and the models that make the OpenAPI document useful
``app.py``        `build_api`: one FastAPI application, mounted by ``collector.app`` under ``/api``
``parts.py``      what the API needs from the rest of the collector, as protocols
``params.py``     query parameters; unknown and wrong ones become the contract's 400
``answer.py``     ``{"data": […], "next_cursor": …, "stats": {…}}``
``failure.py``    every error, the framework's included, as the contract's error body
``watch.py``      a client that went away: what runs for it is ended in ClickHouse
``stream.py``     server-sent events
``docs.py``       ``/api/docs``: the OpenAPI document as one page without scripts

``clickhouse.py`` the ClickHouse HTTP interface for people, an application of its own
``prometheus/``   the Prometheus HTTP API, likewise

In: GET requests, and POST of a statement. Out: JSON, ``Cache-Control: no-store``; while the engine is away 503 ``engine_unavailable``.
"""

from collector.api.app import build_api
from collector.api.parts import AlertAnswers, ApiParts, PipelineAnswers

__all__ = ["AlertAnswers", "ApiParts", "PipelineAnswers", "build_api"]
