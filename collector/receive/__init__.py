"""
What every protocol shares between the socket and the journal.

``authenticate.py``  which key, and what may it write
``headers.py``       Fuseboard-Resource, -Source, content types, and their errors
``decompress.py``    one body: undone under limits, and a frame the journal may keep as it is
``protocol.py``      what a folder under ``formats/`` declares about itself
``prepare.py``       one body: its envelope's head, its identity, its frames, the answer its client will get
``app.py``           the ASGI application: admit, read, prepare, journal, answer
``asgi.py``          the common error body, and how an answer is sent
``guard.py``         who may ask at all, before any application

In:  an HTTP request. Out: a `Batch` in the journal, then the protocol's own answer. Never reaches ``store/``:
a slow ClickHouse cannot slow acceptance.
"""
