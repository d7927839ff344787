"""Documents of a bulk request -> rows of `logs`."""

from __future__ import annotations

from datetime import UTC, datetime

from collector.formats.elasticsearch.items import read
from collector.journal.envelope import Head

BULK = """{"create":{"_index":"logs-a","_id":"1"}}
{"@timestamp":"%s","message":"paid","log.level":"warn","service":{"name":"pay"},"n":1.50}
{"index":{}}
{"message":"two","trace.id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
"""


def test_a_document_becomes_a_row(warehouse, now_ns):
    """As a JSON line would; the action's index, else the path's, is in the resource; the trailing newline is no document."""
    head = Head("b", now_ns, resource={"elasticsearch.index": "path"})

    at = datetime.fromtimestamp(now_ns // 10**9 - 1, UTC).isoformat()
    warehouse.load("elasticsearch", (head, read((BULK % at).encode()).body))

    first, second = warehouse.rows("SELECT * FROM logs ORDER BY line")
    assert (first["body"], first["severity"], first["service"], first["attributes"]) == (
        "paid",
        "warn",
        "pay",
        {"n": "1.50"},
    )
    assert (first["resource"], first["line"]) == ({"elasticsearch.index": "logs-a"}, 0)
    assert (second["body"], second["trace_id"], second["line"]) == ("two", "a" * 32, 1)
    assert second["resource"] == {"elasticsearch.index": "path"}
