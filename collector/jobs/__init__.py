"""
Watermark jobs: what a materialised view cannot see because it sees one block.

In: rows that are already in the tables, window by window of the time they were received in. Out: rows of tables of
their own (never of a table that a view fills, so that each rollup equals its view's SELECT).

::

    runner.py     which window of which job is due; each window once, whatever is killed in between
    progress.py   how far each job is, in `state/`
    breaker_states.py  transitions of breakers that only samples tell of
    calls.py      both sides of a call: who called which endpoint, what callers call their callees
    messages.py   both ends of a message: which producer feeds which consumer, how long messages wait
    entries.py    calls from outside, by client and route

A window is run when everything received in it is loaded and its late companions had `delay_s` to come. Its INSERTs carry a
token made of the job, its version and the window: a window that is run again adds nothing. (breaker_states does not wait: it looks as soon as samples are loaded, and again for late ones.) Of several collectors the one that
holds the lease ``jobs`` runs them. Source: design.md §6.
"""
