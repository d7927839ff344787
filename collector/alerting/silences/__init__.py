"""
Silences and maintenance windows: whom nobody is told of, for how long, by whose word and why.

::

    schedule.py   when a window is open: weekly, or by an RRULE, in its own time zone
    silence.py    one silence: matchers, times, author, reason; pure
    store.py      silences in state/
    service.py    what the API asks: list, put, preview, end

In: what people post; out: the ids that silence an alert's labels (:func:`~collector.alerting.silences.silence.silencing`).
A silenced alert goes on: it is shown with ``silenced_by``, its resolution is told to whoever was told that it fired, and if it still fires
when the silence ends it is told then.
"""
