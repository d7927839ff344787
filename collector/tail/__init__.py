"""
The live tail: new log records to everyone who watches, for the price of one reader.

``arrivals.py``  which segments were stored since, in the order they were stored in
``position.py``  where a viewer is in that order: the event id that resumes without gap or repeat
``records.py``   the records of some arrivals that any of several searches wants: one statement
``asking.py``    those questions, in threads of their own; ``catching_up.py`` what a viewer that comes back has missed
``frames.py``    records -> the bytes of server-sent events
``viewer.py``    one viewer: a bounded queue of those bytes
``hub.py``       `Tail`: the loop that reads once per tick and hands out

In: compiled searches. Out: bytes of ``text/event-stream``. Nothing runs while nobody watches.
"""

from collector.tail.hub import Tail, TailLimits, Watched

__all__ = ["Tail", "TailLimits", "Watched"]
