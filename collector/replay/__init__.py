"""
``fuseboard replay DIR``: recorded telemetry sent into a collector again, at a given speed and moved to another time.

``command.py``      options, the summary, exit codes
``recordings.py``   which files of a folder are recordings, and of what
``parcel.py``       `Parcel`: one request body with the recorded time it is of; `Recording`: what every kind of file offers
``times.py``        times in texts: found, read, moved
``otlp.py``         OTLP bodies: protobuf, JSON, one JSON request a line; ``lines.py`` log files; ``exposition.py`` Prometheus texts
``tables.py``       CSV files by their header; ``metric_tables.py``, ``span_tables.py``, ``log_tables.py`` what each becomes
``journey.py``      the file that remembers a replay until it is finished: a second start goes on with the same times
``player.py``       parcels in the order of their times, when they are due; ``sender.py`` one request until it is answered

Each parcel carries an `Idempotency-Key` made from what it says, so a replay that was killed and is started again stores everything once. Reads files,
speaks HTTP; imports nothing of the rest of the collector but the terminal's way to it.
"""
