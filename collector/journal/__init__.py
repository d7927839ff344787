"""
The journal: where bytes become durable before anyone is told so.

``envelope.py``     the message written around a client's bytes
``segment.py``      one segment and its sidecar: byte layout, append, seal, recover
``identities.py``   which batches were already accepted, and what they were answered
``reserve.py``      space set aside for the day the disk is full
``writer.py``       the one thread that writes: group fsync, sealing by size and age, bounds

In:  `Batch` objects from ``receive/``. Out: a future that resolves after the fsync; sealed segments for ``load/``.
"""
