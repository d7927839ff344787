"""
The ClickHouse HTTP interface for people at ``/clickhouse/``: clickhouse-connect, Grafana's data source, DBeaver, curl.

Spoken: ``GET …/ping``, and ``GET …/`` without a statement, which is the same; GET and POST of a statement in ``?query=``, in the body, or its beginning in
the one and its end in the other; a form (multipart) with the same fields; ``database``, ``default_format``, ``query_id``, ``param_<name>``, the settings of
``collector.sql.changes``; our read keys as Basic password, ``X-ClickHouse-Key``, ``password`` or Bearer; gzip of bodies and answers, ClickHouse's own framing of both
(``compress=1``, ``decompress=1``); Native of any ``client_protocol_version``; ClickHouse's headers and the form of its errors.
Not spoken: sessions (``session_id`` is ignored), external tables, progress headers (``GET /api/v1/queries/{query_id}`` says how far a statement is).

``app.py``      the ASGI application; every statement goes through `collector.sql.console.Console`
``request.py``  what a client asks
``answer.py``   what goes back, errors included
``frames.py``   ClickHouse's own compressed framing
``native.py``   Native as of a client's protocol version

Source: https://clickhouse.com/docs/interfaces/http.
"""

from collector.api.clickhouse.app import PREFIX, ClickHouse

__all__ = ["PREFIX", "ClickHouse"]
