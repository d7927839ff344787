"""
The collector's small transactional memory: what must survive kill -9 and is not telemetry.

What lives here: alert episodes, the outbox of webhooks and its attempts, receivers' standing,
leases. A few thousand rows at most; everything large belongs to ClickHouse.

In: :class:`State` (a database URL), whose :meth:`State.write` gives one transaction. Out: the
tables of :mod:`collector.state.tables`; the statements over them live with the code that owns
the meaning (``alerting/outbox.py``, …), never here.

::

    database.py   State: connections, read and write transactions, one boundary for errors
    migrate.py    schema/NNNN_*.sql applied in order, remembered in schema_version
    tables.py     the same tables for SQLAlchemy Core; a test compares them with the .sql
    lease.py      who of several collectors acts

SQLite (one collector, a file in data_dir; WAL, synchronous=FULL) is the default. Several collectors
share one PostgreSQL; the .sql and the statements are the same.
Source: design.md §3 and §13.
"""

from collector.state.database import State

__all__ = ["State"]
