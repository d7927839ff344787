import random
import threading

import pytest

from collector.api.answer import Page
from collector.api.v1.logs import Bucket, Facet, LogRecord
from tests.collector.read.real_store import NOW_NS, at, log


def bodies(answer):
    """The bodies of a good answer."""
    assert answer.status_code == 200, answer.text
    return [row["body"] for row in answer.json()["data"]]


@pytest.fixture
def shop(fill, client):
    """Four records of two services in the last minutes, one of another env, one of yesterday."""
    fill("logs",
        [
            log(-40, "order placed", line=0, attributes={"user.id": "42", "status": "200"}),
            log(-30, "Connection refused by payment", line=1, severity="error", severity_number=17,
                trace_id="ab" * 16, attributes={"user.id": "42.0", "status": "503", "path": "/pay"}),
            log(-20, "payment is slow", line=2, service="payment", severity="warn", severity_number=13),
            log(-10, "healthy", line=3, attributes={"path": "/health"}),
            log(-5, "elsewhere", line=4, env="test"),
            log(-90_000, "yesterday", line=5),
        ],
    )  # fmt: skip
    return client


def test_newest_first_within_the_last_hour(shop):
    """Without parameters /logs gives the last hour of every env, newest first."""
    answer = shop.get("/api/v1/logs")

    assert bodies(answer) == [
        "elsewhere",
        "healthy",
        "payment is slow",
        "Connection refused by payment",
        "order placed",
    ]
    assert answer.headers["cache-control"] == "no-store"


def test_a_record_has_every_field_of_the_contract(shop):
    """A record comes with id, nanosecond times, attributes and resource; the answer says what it cost."""
    body = shop.get("/api/v1/logs", params={"query": "severity:error"}).json()

    page = Page[LogRecord].model_validate(body)
    assert page.data[0].id == "b:1"
    assert page.data[0].occurred_at == at(-30).replace(" ", "T") + "Z"
    assert page.data[0].attributes == {"user.id": "42.0", "status": "503", "path": "/pay"}
    assert page.stats.rows_read > 0


@pytest.mark.parametrize(
    ("query", "lines"),
    [
        ('service:checkout -path:"/health"', [4, 1, 0]),
        ("severity:>=warn", [2, 1]),
        ("severity:WARNING", [2]),
        ("severity:<error", [4, 3, 2, 0]),
        ("severity:[warn TO error]", [2, 1]),
        ('"connection refused"', [1]),
        ('"refused connection"', []),
        ("refused connection", [1]),
        ("PAYMENT", [2, 1]),
        ("pay", []),
        ("pay*", [2, 1]),
        ("ref?sed", [1]),
        ("/sl.w$/", [2]),
        ("status:[500 TO 599]", [1]),
        ("status:{200 TO 503}", []),
        ("status:>200", [1]),
        ("user.id:42", [1, 0]),
        ('user.id:"42"', [0]),
        ("user.id:*", [1, 0]),
        ("-user.id:*", [4, 3, 2]),
        ("path:/he*", [3]),
        ("path:/^.pay/", [1]),
        ("trace_id:" + "AB" * 16, [1]),
        ("service:(payment OR nothing) OR elsewhere", [4, 2]),
        ("NOT (service:payment OR env:test)", [3, 1, 0]),
        ("body:slow", [2]),
        ("occurred_at:>=-25s env:demo", [3, 2]),
        ("*", [4, 3, 2, 1, 0]),
    ],
)  # fmt: skip
def test_search(shop, query, lines):
    """Each construct of the search language finds what it says."""
    answer = shop.get("/api/v1/logs", params={"query": query})

    assert answer.status_code == 200, answer.text
    assert [row["line"] for row in answer.json()["data"]] == lines


def test_env_and_window_narrow(shop):
    """Env is exact, start and end may be relative."""
    assert bodies(shop.get("/api/v1/logs?env=test")) == ["elsewhere"]
    assert bodies(shop.get("/api/v1/logs?start=-2d&end=-1d")) == ["yesterday"]
    assert bodies(shop.get("/api/v1/logs?order=asc&limit=1")) == ["order placed"]


@pytest.mark.parametrize(("order", "lines"), [("desc", [0, 1, 2]), ("asc", [39, 38, 37])])
def test_a_page_that_the_edge_of_the_window_fills(fill, client, order, lines):
    """A page found whole at the window's edge is the right page; a fuller one looks further."""
    fill("logs", [log(-1 - number * 90, "x", line=number) for number in range(40)])

    few = client.get("/api/v1/logs", params={"order": order, "limit": 1}).json()["data"]
    many = client.get("/api/v1/logs", params={"order": order, "limit": 40}).json()["data"]

    assert [row["line"] for row in few] == lines[:1]
    assert [row["line"] for row in many][:3] == lines
    assert len(many) == 40


_MANY = """
INSERT INTO logs (occurred_at, observed_at, service, env, severity, severity_number, body, batch_id, line, retention_days)
SELECT fromUnixTimestamp64Nano({now:Int64} - toInt64(number + 1) * 12000000, 'UTC') AS at, at, 'checkout', 'demo', 'info', 9,
       concat('order n', toString(number % 2), if(number IN (7, 60000, 119000), ' of customer 4711', '')), 'many', number, 3000
FROM numbers(280000)
"""


@pytest.mark.parametrize(
    ("query", "first", "count"),
    [("4711", 7, 3), ("n1", 1, 100), ("n0 4711", 60_000, 2), ("-4711 n1", 1, 100)],
)
def test_numbers_are_found_whether_rare_or_not(store, fill, client, query, first, count):
    """A word with a digit gives the newest page, from wherever it stands in a window that holds more than is read at once."""
    fill("logs", [])
    store.command(_MANY, {"now": NOW_NS}, {"insert_deduplication_token": "many"})

    found = client.get("/api/v1/logs", params={"query": query, "limit": 100}).json()["data"]

    assert [row["line"] for row in found][:1] == [first]
    assert len(found) == count


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_neither_skip_nor_repeat(fill, client, order):
    """Following next_cursor gives every record once, ties of time included, while new records arrive."""
    fill("logs", [log(-60 + number // 4, "x", line=number) for number in range(23)])
    seen, cursor = [], ""

    while cursor is not None:
        asked = {"limit": 5, "order": order} | ({"cursor": cursor} if cursor else {})
        body = client.get("/api/v1/logs", params=asked).json()
        seen += [row["line"] for row in body["data"]]
        cursor = body["next_cursor"]
        fill(
            "logs",
            [log(at, "late", line=1000 + 100 * len(seen) - round(at)) for at in (-0.5, -57, -61, -58.25)],
        )

    assert [line for line in seen if line < 1000] == sorted(range(23), reverse=order == "desc")
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_are_whole_while_others_write(fill, client, order):
    """With a writer beside the reader, whose records lie anywhere in the window, what was there at first comes exactly once."""
    chance = random.Random(11)
    fill("logs", [log(-chance.randint(1, 60), "first", line=number) for number in range(120)])
    reading = threading.Event()

    def write():
        number = 1000
        while not reading.is_set() and number < 3000:
            fill("logs", [log(-chance.uniform(0, 61), "late", line=number + step) for step in range(10)])
            number += 10

    writer = threading.Thread(target=write)
    writer.start()
    seen, cursor = [], ""
    try:
        while cursor is not None:
            asked = {"limit": 9, "order": order} | ({"cursor": cursor} if cursor else {})
            body = client.get("/api/v1/logs", params=asked).json()
            seen += [row["line"] for row in body["data"]]
            cursor = body["next_cursor"]
    finally:
        reading.set()
        writer.join()

    assert sorted(line for line in seen if line < 1000) == list(range(120))
    assert len(seen) == len(set(seen))


def test_unknown_fields_are_warned_of(shop):
    """A field no record has matches nothing and is named; a known one is not."""
    body = shop.get("/api/v1/logs", params={"query": "usr.id:42 OR user.id:7"}).json()

    assert body["data"] == []
    assert [warning for warning in body["warnings"] if "usr.id" in warning]
    assert not [warning for warning in body["warnings"] if "'user.id'" in warning]


def test_histogram_counts_by_severity_with_empty_buckets(shop):
    """The buckets cover the window without gaps and their counts add up."""
    body = shop.get("/api/v1/logs/histogram?start=-1m&buckets=6").json()

    buckets = Page[Bucket].model_validate(body).data
    assert 6 <= len(buckets) <= 7
    assert sum(bucket.total for bucket in buckets) == 5
    assert {name for bucket in buckets for name in bucket.counts} == {"info", "warn", "error"}


def test_facets_of_columns_and_attributes(shop):
    """Facets count a column's and an attribute's values, commonest first."""
    body = shop.get("/api/v1/logs/facets?fields=service,severity,path").json()

    facets = {facet.field: facet.values for facet in Page[Facet].model_validate(body).data}
    assert [(value.value, value.count) for value in facets["service"]] == [("checkout", 4), ("payment", 1)]
    assert facets["severity"][0].value == "info"
    assert {value.value for value in facets["path"]} == {"/health", "/pay"}


@pytest.mark.parametrize(
    ("path", "code", "param", "quoted"),
    [
        ("logs?start=yesterday", "bad_time", "start", "yesterday"),
        ("logs?end=-1x", "bad_time", "end", "-1x"),
        ("logs?start=now&end=-1h", "bad_range", "end", "-1h"),
        ("logs?strat=-1h", "unknown_parameter", "strat", "-1h"),
        ("logs?limit=0", "bad_parameter", "limit", "0"),
        ("logs?limit=99999999", "bad_parameter", "limit", "99999999"),
        ("logs?order=up", "bad_parameter", "order", "up"),
        ("logs?cursor=garbage", "bad_cursor", "cursor", "garbage"),
        ("logs?query=severity:>=loud", "bad_value", "query", "loud"),
        ("logs?query=line:many", "bad_value", "query", "many"),
        ("logs?query=/(/", "bad_regex", "query", "regular"),
        ("logs/facets?fields=", "bad_parameter", "fields", "''"),
    ],
)
def test_bad_questions_are_400s_that_name_the_parameter(shop, path, code, param, quoted):
    """A wrong or unknown parameter is refused in the contract's error body, value quoted."""
    answer = shop.get(f"/api/v1/{path}")

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)
    assert quoted in error["message"]
    assert error["request_id"]


def test_a_syntax_error_carries_its_position(client):
    """A search that does not parse is a 400 with the position of the first bad character."""
    error = client.get("/api/v1/logs", params={"query": "service:a )"}).json()["error"]

    assert (error["code"], error["position"], error["param"]) == ("query_syntax", 10, "query")
