"""
Incidents: alerts that have one root, from the first page to what is read afterwards.

::

    incident.py    what an incident is, and what is told of it; pure
    store.py       incidents, their alerts and their entries in state/
    step.py        one round: alerts join, incidents open, merge, resolve, reopen
    hands.py       what people do: acknowledge, note, resolve, merge
    witness.py     what the store knows: topology, suspected cause, impact, key log lines, traces, transitions, deploys, health
    investigator.py  asks the witness and pins the answer to open incidents
    answers.py     what the API shows: list, one with its time line
    export.py      one as Markdown
    service.py     all of it together, with the thread that looks

An incident's key is its root: the service or dependency where the way of explanations ends (alerting/topology.py), or without a service the
rule. What is pinned is a bounded copy in ``state/``: it outlives the telemetry it was taken from.
"""
