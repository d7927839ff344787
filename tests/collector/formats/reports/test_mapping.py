from __future__ import annotations

import json

from collector.journal.envelope import Head


def test_a_report_becomes_a_row_with_its_counters_as_they_came(warehouse, now_ns):
    """The ledger reads counters as JSON, so their text stays."""
    counters = [{"service": "checkout", "read_blocks": 3, "dropped": {"full": {"blocks": 1, "bytes": 2}}}]
    report = {
        "agent": "a1", "name": "checkout-1", "version": "0.1.0", "host": "h", "at": "2001-01-01T00:00:00Z", "sequence": 12,
        "started_at": "2026-01-02T03:04:05.5Z", "spool": {"blocks": 1, "bytes": 2, "oldest_age_s": 0.5}, "lag_bytes": 7, "counters": counters,
    }  # fmt: skip

    warehouse.load("reports", (Head("b", now_ns), json.dumps(report).encode()))

    [row] = warehouse.rows("SELECT *, toUnixTimestamp64Nano(at) AS at_ns FROM agent_reports")
    assert (row["agent"], row["name"], row["version"], row["host"], row["sequence"]) == (
        "a1",
        "checkout-1",
        "0.1.0",
        "h",
        12,
    )
    assert (row["spool_blocks"], row["spool_bytes"], row["oldest_age_s"], row["lag_bytes"]) == (1, 2, 0.5, 7)
    assert (row["at_ns"], row["started_at"]) == (now_ns, "2026-01-02 03:04:05.500000000")
    assert json.loads(row["counters"]) == counters
