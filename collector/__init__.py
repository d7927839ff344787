"""
The collector: bytes come in, rows stand in ClickHouse, questions are answered.

In:  HTTP requests of agents, SDKs and exporters (``receive/``, ``formats/``).
Out: answers over ``/api/v1`` (``api/``), webhooks (``alerting/``), the collector's own health and metrics.

The way of one block of bytes::

    receive/   who are you, is there room, is it well-formed
    formats/   one folder per protocol: receive.py (the promise to the client), *.sql (bytes -> rows)
    journal/   appended, fsynced, then the 2xx
    load/      sealed segment -> INSERT … SELECT …, exactly once
    engine/    the embedded ClickHouse, a child process
    store/     the only client of ClickHouse; the schema
    state/     what must survive besides rows: alerts, outbox, leases
    jobs/      what no view can see, window by window: pairs of calls, transitions out of samples
    canary/    a numbered line of our own through all of it, looked for afterwards

The way of one question::

    api/v1/    parameters -> read/ or health/ -> store/ -> JSON
    query/     the search language -> SQL conditions, PromQL -> one SELECT
    tail/      rows as they are stored, to all who watch
    catalogue/, views/   who owns what; searches people keep

    terminal/  the same questions from a shell, assistants/ as tools of an assistant: clients of the HTTP API

``app/`` is the only place where objects meet; ``wiring.py`` reads out of the settings what each is given, ``router.py`` gives each request to its part.
"""

__version__ = "0.1.0"
