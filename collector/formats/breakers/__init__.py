"""
Circuit-breaker transitions posted to ``/v1/breakers`` by anything that can speak HTTP.

In:  text: one JSON object, a JSON array of them or one per line; receive.py has refused what lacks breaker or to.
Out: rows of ``breaker_transitions`` with source ``post`` (breaker_transitions.sql).

Source: contract.md, "Transition object".
"""
