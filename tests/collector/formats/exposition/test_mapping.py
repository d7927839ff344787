from __future__ import annotations

import re

from collector.journal.envelope import Head
from tests.collector.formats.segments import mappings

JOINED = "SELECT name, type, labels, s.value AS value, toUnixTimestamp64Milli(s.at) AS at FROM metric_samples s JOIN metric_series m USING series_id"
TEXT = r"""# HELP http_requests_total The total number of HTTP \\ requests.\nsecond
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 %d
http_requests_total{method="post",code="400"}    3
# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\new.TXT",error="Cannot find file:\n\"FILE.TXT\" }#"} 1.458255915e9
something_weird{problem="division by zero"} +Inf
nan_thing NaN

# TYPE rpc_seconds histogram
rpc_seconds_bucket{le="0.05"} 24054
rpc_seconds_bucket{le="+Inf"} 144320
rpc_seconds_sum 53423
rpc_seconds_count 144320
{"my.metric","a.b"="c",instance="own"} 7
"""
OPEN_METRICS = r"""# TYPE foo_seconds counter
# UNIT foo_seconds seconds
# HELP foo_seconds help
foo_seconds_total{a="b"} 17.0 %.3f # {trace_id="0AF7651916cd43dd8448eb211c80319c",k="v"} 0.67 %.3f
r{} 4
# EOF
"""


def test_the_text_format_is_read(warehouse, now_ns):
    """Escapes, infinities, histograms, quoted names and times are what the format's specification says."""
    head = Head(
        "b", now_ns, at_ns=now_ns - 10**9, resource={"service.name": "shop", "service.instance.id": "c1"}
    )
    now_ms = now_ns // 10**6

    warehouse.load("exposition", (head, (TEXT % (now_ms - 5)).encode()))

    rows = {
        (row["name"], row["labels"].get("code") or row["labels"].get("le")): row
        for row in warehouse.rows(JOINED)
    }
    assert len(rows) == 10
    requests = rows["http_requests_total", "200"]
    assert (requests["type"], requests["value"], requests["at"]) == ("counter", 1027, now_ms - 5)
    assert requests["labels"] == {"job": "shop", "instance": "c1", "method": "post", "code": "200"}
    assert rows["http_requests_total", "400"]["at"] == now_ms - 1000
    assert rows["msdos_file_access_time_seconds", None]["labels"]["path"] == r"C:\DIR\new.TXT"
    assert (
        rows["msdos_file_access_time_seconds", None]["labels"]["error"] == 'Cannot find file:\n"FILE.TXT" }#'
    )
    assert (rows["something_weird", None]["value"], rows["nan_thing", None]["value"]) == ("inf", "nan")
    assert {rows["rpc_seconds_bucket", "+Inf"]["type"], rows["rpc_seconds_sum", None]["type"]} == {
        "histogram"
    }
    assert (rows["nan_thing", None]["type"], rows["my.metric", None]["labels"]) == (
        "unknown",
        {"job": "shop", "instance": "own", "a.b": "c"},
    )
    assert warehouse.rows(
        "SELECT help, temporality FROM metric_series WHERE name LIKE 'http%' GROUP BY ALL"
    ) == [{"help": "The total number of HTTP \\ requests.\nsecond", "temporality": "cumulative"}]


def test_openmetrics_is_read_with_its_exemplars(warehouse, now_ns):
    """Times are seconds there, and an exemplar leads to its trace."""
    body = OPEN_METRICS % (now_ns / 1e9 - 3, now_ns / 1e9 - 4)

    warehouse.load("exposition", (Head("b", now_ns), body.encode()))

    rows = {row["name"]: row for row in warehouse.rows(JOINED)}
    assert abs(rows["foo_seconds_total"]["at"] - (now_ns // 10**6 - 3000)) <= 1
    assert (rows["foo_seconds_total"]["type"], rows["r"]["value"]) == ("counter", 4)
    [exemplar] = warehouse.rows(
        "SELECT e.value AS value, trace_id, e.labels AS labels, name, unit FROM exemplars e JOIN metric_series m USING series_id"
    )
    assert exemplar == {
        "value": 0.67, "trace_id": "0af7651916cd43dd8448eb211c80319c", "labels": {"k": "v"}, "name": "foo_seconds_total", "unit": "seconds"
    }  # fmt: skip


def test_a_series_is_one_row_per_segment(warehouse, now_ns):
    """Many scrapes of one target are one series with many samples; another target is another series."""
    heads = [Head(f"b{n}", now_ns + n, resource={"service.name": "a"}) for n in range(5)] + [
        Head("x", now_ns, resource={"service.name": "z"})
    ]

    warehouse.load("exposition", *[(head, b"up 1\n") for head in heads])

    assert warehouse.rows("SELECT service FROM metric_series ORDER BY service") == [
        {"service": "a"},
        {"service": "z"},
    ]
    assert warehouse.rows("SELECT count() AS n FROM metric_samples") == [{"n": 6}]


def test_the_statements_share_what_makes_the_series_id():
    """Up to the end of `samples` the three files are the same text."""
    shared = {
        re.search(r"^WITH\n.*?^    samples AS\n    \(\n.*?^    \)$", mapping.sql, re.MULTILINE | re.DOTALL)[0]
        for mapping in mappings("exposition")
    }
    assert len(shared) == 1


def test_a_stale_exposition_ends_its_series(warehouse, now_ns):
    """Each sample gets Prometheus' stale marker, bit for bit; no exemplar, no series seen later; own times have no marker."""
    at = now_ns / 1e9
    good, gone = Head("a", now_ns, at_ns=now_ns - 2 * 10**9), Head("b", now_ns, at_ns=now_ns, format="stale")
    body = (OPEN_METRICS.replace(" %.3f # {", " # {") % (at - 4)).replace(
        "r{} 4", f"r{{}} 4\nown_time 5 {at - 9:.3f}"
    )

    warehouse.load("exposition", (good, body.encode()), (gone, body.encode()))

    now_ms = now_ns // 10**6
    bits = "lower(hex(reinterpretAsUInt64(value)))"
    rows = warehouse.rows(
        f"SELECT name, toUnixTimestamp64Milli(at) AS at, isNaN(value) AND {bits} = '7ff0000000000002' AS stale "
        "FROM metric_samples JOIN metric_series USING series_id ORDER BY name, at"
    )
    assert [(row["name"], row["at"] - now_ms, row["stale"]) for row in rows] == [
        ("foo_seconds_total", -2000, 0),
        ("foo_seconds_total", 0, 1),
        ("own_time", -9000, 0),
        ("r", -2000, 0),
        ("r", 0, 1),
    ]
    assert warehouse.rows("SELECT count() AS n FROM exemplars") == [{"n": 1}]
    assert warehouse.rows("SELECT max(last_seen) < now64(3) - 1 AS earlier FROM metric_series") == [
        {"earlier": 1}
    ]
