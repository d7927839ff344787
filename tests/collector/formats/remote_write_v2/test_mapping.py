"""Requests of remote_write 2.0 become the rows that the same series make in 1.0, and say more of their families."""

from __future__ import annotations

from itertools import product

from collector.journal.envelope import Head
from tests.collector.formats.write_requests import JOINED, STALE, Request, Table, add_series, fill_histogram

IDS = "SELECT series_id, name, service, env, labels FROM metric_series WHERE notEmpty(labels) ORDER BY series_id"
EXEMPLARS = "SELECT * FROM exemplars ORDER BY value"
SERIES = [
    ("requests_total", {"job": "shop", "env": "prod", "code": "200"}),
    ("up", {"job": "shop", "instance": "i:1"}),
    ("lat_bucket", {"service": "pay", "le": "0.5"}),
    ("size", {}),
]


def test_the_rows_are_those_of_version_1(warehouse, now_ns):
    """Ids, labels, samples to the bit, buckets and exemplars: a sender may change versions without starting new series."""
    ms = now_ns // 10**6
    old, new = Request(), Table()
    for n, (name, labels) in enumerate(SERIES):
        for series in (add_series(old, name, **labels), new.series(name, **labels)):
            if name == "size":
                fill_histogram(series.histograms.add(), ms)
            else:
                series.samples.add(value=STALE if n else 1.5, timestamp=ms - n)
                series.samples.add(value=n, timestamp=ms)
            for value in range(n):
                series.exemplars.add(value=n * 10 + value, timestamp=ms - 1)
    for series in old.timeseries[1:3]:
        series.exemplars[0].labels.add(name="trace_id", value="AB")
    for series in new.request.timeseries[1:3]:
        series.exemplars[0].labels_refs.extend(new.refs(trace_id="AB"))
    heads = {"resource": {"service.name": "edge"}, "envs": ["prod", "dev"]}
    found = []
    for name, body in (("remote_write", old.SerializeToString()), ("remote_write_v2", new.body())):
        warehouse.load(name, (Head("a", now_ns, **heads), body), (Head("b", now_ns, **heads), body))
        found.append([warehouse.rows(sql) for sql in (IDS, JOINED, EXEMPLARS)])
        warehouse.empty()

    assert [len(rows) for rows in found[0]] == [
        17,
        30,
        12,
    ]  # three series without histograms once per segment, the others once per request
    assert found[1] == found[0]


def test_a_series_says_what_its_family_is(warehouse, now_ns):
    """Type, help and unit with it; since when it has been counting; without a type its name says it."""
    ms = now_ns // 10**6
    table = Table()
    told = table.series("sent", job="shop")
    told.metadata.type, told.metadata.help_ref, told.metadata.unit_ref = (
        1,
        table.ref("Sent."),
        table.ref("bytes"),
    )
    told.created_timestamp = ms - 60_000
    told.samples.add(value=1, timestamp=ms)
    table.series("seen_total", job="shop").samples.add(value=1, timestamp=ms)
    gauge = table.series("depth").histograms.add(count_int=1, sum=1, reset_hint=3, timestamp=ms)
    gauge.positive_spans.add(offset=0, length=1)
    gauge.positive_deltas.append(1)
    warehouse.load("remote_write_v2", (Head("b", now_ns), table.body()))

    rows = warehouse.rows(
        "SELECT name, type, temporality, help, unit, dateDiff('second', first_seen, last_seen) AS s FROM metric_series WHERE NOT has(mapKeys(labels), 'le') ORDER BY name"
    )

    assert [
        (row["name"], row["type"], row["temporality"], row["help"], row["unit"], int(row["s"]))
        for row in rows
    ] == [
        ("depth_count", "gaugehistogram", "", "", "", 0),
        ("depth_sum", "gaugehistogram", "", "", "", 0),
        ("seen_total", "counter", "cumulative", "", "", 0),
        ("sent", "counter", "cumulative", "Sent.", "bytes", 60),
    ]


def test_symbols_may_be_many_and_shared(warehouse, now_ns):
    """A thousand series that share most of their strings, each with its own."""
    ms = now_ns // 10**6
    table = Table()
    for n in range(1000):
        table.series("m", job="shop", n=str(n), path=f"/{n % 7}").samples.add(value=n, timestamp=ms)
    warehouse.load("remote_write_v2", (Head("b", now_ns), table.body()))

    rows = warehouse.rows(JOINED)

    assert {(row["value"], row["labels"]["n"], row["labels"]["path"]) for row in rows} == {
        (n, str(n), f"/{n % 7}") for n in range(1000)
    }
    assert len(rows) == 1000


def test_any_text_is_a_label(warehouse, now_ns):
    """Empty, NUL and what the mapping itself might write between texts: ids, labels and services are those that were sent, in both versions."""
    texts = ["plain", "a\0b", "\0", "\0\0x", "a\1b\xff", "ä\n"]
    old, new = Request(), Table()
    for key, value in product(["a", "b\0c"], texts):
        for series in (
            add_series(old, "n", **{key: value, "job": value}),
            new.series("n", **{key: value, "job": value}),
        ):
            series.samples.add(value=1, timestamp=now_ns // 10**6)
    found = []
    for name, body in (("remote_write", old.SerializeToString()), ("remote_write_v2", new.body())):
        warehouse.load(name, (Head("a", now_ns, envs=["prod"]), body))
        found.append(warehouse.rows(IDS))
        warehouse.empty()

    told = {(row["service"], row["env"], tuple(sorted(row["labels"].items()))) for row in found[0]}
    assert told == {
        (value, "prod", tuple(sorted({key: value, "job": value}.items())))
        for key, value in product(["a", "b\0c"], texts)
    }
    assert found[1] == found[0]


def test_a_series_that_comes_again_is_one_row_of_a_segment(warehouse, now_ns):
    """First and last seen over all of its requests; a row of its own for each thing that it says of its family."""
    ms = now_ns // 10**6
    bodies = []
    for at, kind in ((ms - 10, 1), (ms - 30, 1), (ms, 2)):
        table = Table()
        series = table.series("sent", job="shop")
        series.metadata.type = kind
        series.samples.add(value=1, timestamp=at)
        bodies.append((Head(f"b{at}", now_ns), table.body()))
    warehouse.load("remote_write_v2", *bodies)

    assert warehouse.rows(
        "SELECT type, toUnixTimestamp64Milli(first_seen) - {now} AS first, toUnixTimestamp64Milli(last_seen) - {now} AS last FROM metric_series ORDER BY type".replace(
            "{now}", str(ms)
        )
    ) == [{"type": "counter", "first": -30, "last": -10}, {"type": "gauge", "first": 0, "last": 0}]
