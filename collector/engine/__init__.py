"""
The embedded engine, behind a bulkhead.

``server.py``      runs in a child process of its own: owns the chDB database and speaks the ClickHouse
                   HTTP interface on a loopback port, so that ``store/`` needs one client for embedded and server mode.
``handles.py``     its sessions, pooled by what was set on them.
``statement.py``   what a client sent, made into the statement that chDB runs.
``engine.xml``     server settings of that database: how often it looks for work that nobody gave it.
``process.py``     runs in the collector: starts the child, notices its death, restarts it with back-off.
``deduplication.py`` makes what tables remember of their inserts agree with their parts, before the database is opened.
``remote.py``      in server mode, in the place of ``process.py``: watches a ClickHouse server that somebody else runs.

In:  the database's directory. Out: a URL with a random secret, and a state (`starting`, `up`, `down`).

The engine's death, its memory or its slowness never reaches the process that acknowledges bytes.
"""
