"""
The journal: where bytes become durable before anyone is told so.

``envelope.py``     the message written around a client's bytes
``batch.py``        what is handed in, and what comes back
``segment.py``      one segment: append, fsync, seal; ``sidecar.py`` says what stands beside it
``recovery.py``     what is made of a directory after any kind of end
``identities.py``   which batches were already accepted; ``repeats.py`` answers them
``writer.py``       the one thread that writes: group fsync, bounds; ``settings.py`` where, and how much
``open_segments.py``  what it writes to: begun, sealed by size and age, kept aside when the disk has spoiled it
``patience.py``     how long a small segment gathers; ``attendance.py``: who reads, and waits until it is loaded
``home.py``         the directory: one process at a time, and its name for ever
``reserve.py``      space set aside for the day the disk is full; ``disk.py`` is what is asked of it

In:  `Batch` objects from ``receive/``. Out: a future that resolves after the fsync; sealed segments for ``load/``.
"""
