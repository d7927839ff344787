"""
One folder per protocol. To find out how a protocol is spoken, read its folder; nothing of it is elsewhere.

``<name>/__init__.py``    what the protocol is, who speaks it, the specification
``<name>/receive.py``     the promise to the client: paths, status codes, answers; validates whole bodies in C
``<name>/request.proto``  the client's Protobuf message as ClickHouse reads it (absent where the body is text)
``<name>/<table>.sql``    how segments become rows of that table; what few bodies hold may have a statement of its own, called after what it loads

In:  an accepted, decompressed body. Out: a `Batch` for the journal and an answer; later, rows.
"""
