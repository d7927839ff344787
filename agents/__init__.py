"""
The sidecar: ships one service's bytes to the collector, each block exactly once.

What comes in: lines of files and of a child process, expositions, cgroup counters, OTLP and breaker posts on
loopback. What goes out: HTTP requests to the collector, in blocks that never change once they are on disk.

``settings``    the file and the environment, read once, frozen (``settings_tables`` lists every
                key, ``settings_fields`` reads one value, ``settings_checks`` judges them together)
``block``       the values that travel: a block, the stream it is counted under, where it was read
``sources``     where bytes come from; each hands whole blocks to ``intake``
``processors``  bytes to bytes: redacts, folds tracebacks, filters, samples, limits; ``child`` is the process that ``run`` runs
``intake``      source -> processors -> spool; waits or counts a drop when there is no room
``spool``       frozen blocks on disk, fsynced (``segment`` is one file, ``frame`` describes the bytes)
``ledger``      the counters and positions; what they were when the process was killed can be worked out
``checkpoint``  the ledger's durable image; ``keeper`` saves it and lets the spool forget
``exporter``    spool -> collector until the collector has said 2xx (``client`` speaks HTTP under a ``deadline``, ``access`` says
                with which key, trust and proxy, ``answers`` what an answer means, ``route`` chooses the collector by each one's
                ``health`` and ``own_breaker``; ``own_transitions`` ships what these breakers do)
``quarantine``  blocks that a collector will never take, kept for a person
``reports``     the ledger, told to the collector every 10 s (``unreported``: what waits to be told); ``metrics`` tells it to
                anyone on loopback
``pipeline``    the composition root: the only place where these meet
``breakers``    listeners that a Python service may import; they need nothing else of this package

``errors`` is the tree of what can go wrong, ``headers`` says whose bytes a request holds, ``own_log`` is the agent's own
log, ``zstd`` the one dependency.

Base install: the standard library and zstd. Nothing here imports the collector or the dashboards: what is imported
here is resident beside every service (facts.md).
"""

__version__ = "0.1.0"
