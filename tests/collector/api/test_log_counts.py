import itertools
import random

import pytest

from collector.query.search import LOGS, Condition, compile_search, names_only
from collector.query.window import SECOND_NS, Window
from collector.read import log_counts
from collector.read.log_counts import facets, histogram
from collector.read.logs import MINUTE_FIELDS, Slice
from collector.read.sql import Reader
from tests.collector.read.real_store import NOW_NS, log

TEXTS = (
    "",
    "service:pay",
    "-service:pay",
    "service:(pay OR nobody) env:test",
    "severity:>=error",
    "severity:(error OR warn) -service:pay",
    "severity:[info TO warn]",
    "-severity:<error",
    "severity:*",
    "severity:e*",
)
WINDOWS = (
    (-6 * 3600, 0),
    (-20_000.123456789, -61.5),
    (-3.1 * 3600, -0.000000001),
    (-1000.7, -0.5),
    (-4000, -40),
)


def scattered():
    """Records of two services and envs over six hours, at any nanosecond; a severity's name says less than its number."""
    chance = random.Random(7)
    severities = [("info", 9), ("warn", 14), ("error", 17), ("error", 19), ("fatal", 24), ("", 0)]
    named = [
        dict(zip(("severity", "severity_number"), chance.choice(severities), strict=True))
        for _ in range(2000)
    ]
    return [
        log(
            -chance.uniform(0, 6 * 3600),
            "x",
            line=line,
            service=chance.choice(["pay", "cart"]),
            env=chance.choice(["prod", "test"]),
            **severity,
        )
        for line, severity in enumerate(named)
    ]


def sliced(text, start_s, end_s, env="", by_minutes=None):
    """A slice of seconds from the tests' now."""
    window = Window(NOW_NS + int(start_s * SECOND_NS), NOW_NS + int(end_s * SECOND_NS), NOW_NS)
    known = names_only(text, MINUTE_FIELDS) if by_minutes is None else by_minutes
    return Slice(window, compile_search(text, LOGS, NOW_NS), env, known)


def test_counts_by_minutes_are_those_of_the_records(store, fill):
    """Histogram and facets of a long window are the same from the rollup as from the records, cut minutes included."""
    fill("logs", scattered())
    asked, exact = Reader(store), Reader(store)

    for text, (start_s, end_s) in itertools.product(TEXTS, WINDOWS):
        quick, slow = (
            sliced(text, start_s, end_s, "prod"),
            sliced(text, start_s, end_s, "prod", by_minutes=False),
        )
        assert quick.by_minutes
        assert histogram(asked, quick, 60) == histogram(exact, slow, 60)
        assert facets(asked, quick, ["service", "severity"], 10) == facets(
            exact, slow, ["service", "severity"], 10
        )


@pytest.mark.parametrize(
    ("text", "known"),
    [("", True), (" ", True), ("service:a", True), ("service:a* -env:(b OR c)", True), ("service:a word", False), ("level:x", False), ("severity:error", True),
     ("severity:>=error", True), ("-severity:(info OR [error TO fatal])", True), ("severity:/^err/", True), ("severity:>=18", False),
     ("severity:(error OR 18)", False), ("severity:[error TO 22]", False), ("-severity:18", False), ("severity_number:18", False)],
)  # fmt: skip
def test_which_searches_the_rollup_knows(text, known):
    """Only those about nothing but service, env and a severity by its name."""
    assert names_only(text, MINUTE_FIELDS) is known


def test_the_edges_of_a_histogram(store, fill):
    """A record at the very start counts, one at the very end does not; buckets stand at multiples of their width in UTC."""
    fill("logs", [log(-60, "first"), log(-60.000000001, "before"), log(0, "end"), log(-0.000000001, "last")])
    window = Window(NOW_NS - 60 * SECOND_NS, NOW_NS, NOW_NS)

    buckets = histogram(Reader(store), Slice(window, Condition()), 6)

    assert [bucket["total"] for bucket in buckets] == [1, 0, 0, 0, 0, 1]
    assert all(bucket["at"].endswith("0.000000000Z") for bucket in buckets)


def test_a_window_in_another_time_zone_is_the_same_window(fill, client):
    """Offsets in start and end are read; buckets are said in UTC."""
    fill("logs", [log(-30, "x")])
    utc = client.get(
        "/api/v1/logs/histogram", params={"start": "2026-11-18T11:00:00Z", "end": "2026-11-18T11:10:00Z"}
    )
    tokyo = client.get(
        "/api/v1/logs/histogram",
        params={"start": "2026-11-18T20:00:00+09:00", "end": "2026-11-18T20:10:00+09:00"},
    )

    assert sum(bucket["total"] for bucket in utc.json()["data"]) == 1
    assert utc.json()["data"] == tokyo.json()["data"]


def test_fields_names_what_records_have(fill, client):
    """Attributes and resource attributes of the matching records, the commonest first."""
    fill(
        "logs",
        [
            log(-3, "a", line=0, attributes={"user.id": "1", "path": "/"}, resource={"host.name": "h"}),
            log(-2, "b", line=1, attributes={"user.id": "2"}, resource={"host.name": "h", "user.id": "9"}),
            log(-1, "c", line=2, service="other", attributes={"other": "1"}),
        ],
    )

    body = client.get("/api/v1/logs/fields", params={"query": "service:checkout"}).json()

    assert [(row["field"], row["records"]) for row in body["data"]] == [
        ("host.name", 2),
        ("user.id", 2),
        ("path", 1),
    ]


def test_fields_are_those_of_every_service(fill, client, monkeypatch):
    """The sample is taken from all records, not from the service that the table begins with; the newest part of a window may do."""
    monkeypatch.setattr(log_counts, "_SAMPLE", 60)
    monkeypatch.setattr(log_counts, "_ENOUGH", 30)
    fill("logs", [log(-1, "x", line=n, service="a", attributes={"first": "1"}) for n in range(200)])
    fill(
        "logs",
        [log(-1, "x", line=n, service="z", batch_id="z", attributes={"last": "1"}) for n in range(200)],
    )
    fill("logs", [log(-3000, "x", line=n, service="m", attributes={"old": "1"}) for n in range(200)])

    names = {row["field"] for row in client.get("/api/v1/logs/fields").json()["data"]}
    rare = {row["field"] for row in client.get("/api/v1/logs/fields?query=service:m").json()["data"]}

    assert names == {"first", "last"}
    assert rare == {"old"}


def test_facets_of_any_field(fill, client):
    """Columns, attributes, resource attributes, and names that need quoting."""
    names = ["a.b", "k'ey", "{q0:String}", "clé"]
    fill("logs", [log(-1, "x", attributes=dict.fromkeys(names, "v"), resource={"host.name": "h1"})])

    body = client.get(
        "/api/v1/logs/facets", params={"fields": ",".join([*names, "host.name", "line", "trace_id"])}
    ).json()

    found = {facet["field"]: facet["values"] for facet in body["data"]}
    assert all(found[name] == [{"value": "v", "count": 1}] for name in names)
    assert found["host.name"] == [{"value": "h1", "count": 1}]
    assert found["line"] == [{"value": "0", "count": 1}]
    assert found["trace_id"] == []
