"""
Sealed segments into ClickHouse, exactly once.

``mapping.py``     a format's .sql + .proto -> the statement that loads one segment
``loader.py``      takes sealed segments in order, tries until each is loaded
``one_segment.py`` loads one into each target under its own token, marks it done
``retention.py``   how long rows are kept, by signal, service and environment
``waiting.py``     since when records wait to be loaded
``quarantine.py``  finds the records the data itself makes unloadable and sets them aside

In:  files the journal sealed. Out: rows, `done` markers, quarantined bytes.
"""
