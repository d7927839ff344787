from __future__ import annotations

import json

from collector.journal.envelope import Head
from collector.query.window import rfc_3339


def test_a_report_becomes_a_row_with_its_counters_as_they_came(warehouse, now_ns):
    """The ledger reads counters as JSON, so their text stays."""
    counters = [{"service": "checkout", "read_blocks": 3, "dropped": {"full": {"blocks": 1, "bytes": 2}}}]
    report = {
        "agent": "a1", "name": "checkout-1", "version": "0.1.0", "host": "h", "at": "2001-01-01T00:00:00Z", "sequence": 12, "counted_through": 34,
        "started_at": "2026-01-02T03:04:05.5Z", "spool": {"blocks": 1, "bytes": 2, "oldest_age_s": 0.5}, "lag_bytes": 7, "counters": counters,
        "exporter": {"breaker": "open"},
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
    assert (row["counted_through"], row["exporter"]) == (34, '{"breaker":"open"}')


def test_a_report_says_how_far_ahead_its_agents_clock_seemed(warehouse, now_ns):
    """A late report seems behind; a claim more than ten minutes ahead is filed under its arrival, and the skew stays visible."""
    told = [now_ns - 3_000 * 10**9, now_ns + 3_600 * 10**9]
    reports = [
        {"agent": f"a{number}", "at": rfc_3339(at), "sequence": 1, "counters": []}
        for number, at in enumerate(told)
    ]

    warehouse.load(
        "reports", *((Head(f"b{n}", now_ns), json.dumps(report).encode()) for n, report in enumerate(reports))
    )

    rows = warehouse.rows(
        "SELECT clock_skew_ms, toUnixTimestamp64Nano(at) AS at_ns, counted_through FROM agent_reports ORDER BY agent LIMIT 2"
    )
    assert [(row["clock_skew_ms"], row["at_ns"]) for row in rows] == [
        (-3_000_000, told[0]),
        (3_600_000, now_ns),
    ]
    assert {row["counted_through"] for row in rows} == {0}
