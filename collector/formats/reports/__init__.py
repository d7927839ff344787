"""
What agents say of themselves, posted to ``/v1/reports`` every ten seconds: the sender's side of the ledger.

In:  one JSON object with cumulative counters per service, signal and source.
Out: one row of ``agent_reports`` (agent_reports.sql); the counters stay the JSON text they came as.
"""
