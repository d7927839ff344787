"""What is pushed to Loki as Protobuf becomes the rows that it becomes as JSON."""

from __future__ import annotations

import json

from collector.formats.loki.receive import REQUEST
from collector.journal.envelope import Head

COLUMNS = "SELECT * EXCEPT (batch_id) FROM logs ORDER BY line"
STREAMS = [
    ({"app": "cart", "env": "prod", "quoted": 'a "b" \\ ü, c="d"'}, [(-5, "two\nlines", {"trace_id": "a" * 32, "user": "7"}), (0, '{"msg":"in","n":1.50}', {})]),
    ({"job": "x"}, []),
    ({"service_name": "pay"}, [(1, "level=warn msg=slow", {})]),
]  # fmt: skip


def test_a_push_makes_the_rows_it_makes_as_json(warehouse, now_ns):
    """Labels with quotes and commas, metadata, times to the nanosecond, lines: all equal, column by column."""
    as_json = {"streams": [
        {"stream": labels, "values": [[str(now_ns + after), line, extra] for after, line, extra in entries]} for labels, entries in STREAMS
    ]}  # fmt: skip
    message = REQUEST()
    for labels, entries in STREAMS:
        text = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items())
        stream = message.streams.add(labels=f"{{{text}}}")
        for after, line, extra in entries:
            entry = stream.entries.add(line=line)
            entry.timestamp.seconds, entry.timestamp.nanos = divmod(now_ns + after, 10**9)
            for name, value in extra.items():
                entry.metadata.add(name=name, value=value)
    head = Head("b", now_ns, resource={"host.name": "h"})
    warehouse.load("loki_json", (head, json.dumps(as_json).encode()))
    wanted = warehouse.rows(COLUMNS)
    warehouse.empty()

    warehouse.load("loki", (head, message.SerializeToString()))

    assert len(wanted) == 3
    assert warehouse.rows(COLUMNS) == wanted
