"""
The only place that talks to ClickHouse, always over its HTTP interface.

``client.py``    queries, commands, segment loads; clickhouse-connect's exceptions end here
``target.py``    where ClickHouse listens
``direct.py``    the short way to the embedded engine for SELECTs
``refusals.py``  its error numbers: which say "not now" rather than "not this"
``limits.py``    what a question may take, and what to narrow when it takes more
``question.py``  a request and its statements, ended when nobody waits for them any more
``bulkhead.py``  how many statements run at once, and how many wait
``processes.py`` statements that run now: how far they are, their end
``passage.py``   a checked statement of a person, its answer passed on as it comes
``migrate.py``   applies ``schema/*.sql`` in order, once each
``storage.py``   the same statements under a storage policy, with a move of what is old
``budget.py``    the embedded engine's share of the disk: the oldest partitions go
``cluster.py``   the same statements for a cluster: Replicated engines, Distributed tables, ON CLUSTER
``shard.py``     which of a cluster's shards is written to
``schema/``      numbered DDL, runnable in clickhouse-client as it stands

In:  SQL with bound parameters. Out: rows as dicts, or `StoreUnavailable` / `StoreRejected`.
"""
