"""
Routes: which receivers are told of an alert, together with which others, and how often.

::

    route.py      the tree of ``[[route]]``: labels -> routes; pure
    tree.py       settings -> tree, every mistake named
    group.py      the clock of one group: what is told when; pure
    store.py      groups and their alerts in state/
    dispatch.py   one round: changes into groups, due groups into events
    adopt.py      another tree than last time: who was told of what is carried over

A group is the alerts of one route that agree in ``group_by``. Its clock stands in ``state/`` with it, and a notification's row in the outbox is
written in the same transaction as the clock moves: kill -9 at any step resets no repeat and loses no group.
Source: Alertmanager documentation, "Route-related settings", from whose ticking we deviate in one point: a change that comes later
than ``group_interval`` after the last notification is told at once instead of at the next tick.
"""
