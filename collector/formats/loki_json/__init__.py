"""
Loki's push as JSON: ``POST /loki/api/v1/push`` with ``Content-Type: application/json``, as loggers' Loki handlers and curl send it.

In:  ``{"streams": [{"stream": {label: value}, "values": [["<ns>", "line", {structured metadata}?], …]}, …]}``.
Out: rows of ``logs``: labels name the service and the resource, structured metadata are attributes, the line itself goes through the
same detection as ``lines``; its own time and level win over the entry's time.

Source: https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs
"""
