"""
The canary: one numbered line now and then through the collector's own front door, looked for in the tables afterwards.

It answers "is anything lost?" without anybody's help: over a real socket, with the headers an agent sends, through key, journal, loader and
ClickHouse. Its stream has an agent's ledger (offsets are its numbers, it reports its counters), so the ledger checks itself on it, too.

``memory.py``  the last number, durable before it is sent, so that a restart neither repeats nor skips one
``stream.py``  a number as a line, and the requests
``watch.py``   the thread: send, look, judge

In: where the collector listens, the store, how far loading is. Out: a state for ``/api/v1/pipeline``, metrics. Its lines belong to the service
``fuseboard``, which is shown to those who ask for it by name (read/own.py), judged by no verdict and wakes nobody.
"""
