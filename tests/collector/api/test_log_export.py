import csv
import io
import json
import random

import pytest

from collector.read import log_export
from tests.collector.read.real_store import log

EXPORT = "/api/v1/logs/export"


@pytest.fixture
def small_pages(monkeypatch):
    """Pages of a few records, so that an export has many."""
    monkeypatch.setattr(log_export, "_PAGE_RECORDS", 7)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_every_record_once_and_in_order(fill, client, small_pages, order):
    """Over pieces and pages, with ties of time and a crowded second, each matching record is one line of NDJSON."""
    del small_pages
    chance = random.Random(3)
    fill(
        "logs",
        [
            log(-chance.choice([5, 5, 5, 1200, chance.uniform(0, 3500)]), "wanted", line=line)
            for line in range(200)
        ],
    )
    fill("logs", [log(-7, "no", line=900)])

    answer = client.get(EXPORT, params={"query": "wanted", "order": order})

    rows = [json.loads(line) for line in answer.text.splitlines()]
    keys = [(row["occurred_at"], row["batch_id"], row["line"]) for row in rows]
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["fuseboard-records"] == "200"
    assert sorted(row["line"] for row in rows) == list(range(200))
    assert keys == sorted(keys, reverse=order == "desc")
    assert (
        rows
        == client.get("/api/v1/logs", params={"query": "wanted", "order": order, "limit": 1000}).json()[
            "data"
        ]
    )


HOSTILE = [
    "=1+1",
    "+cmd",
    "-2+3",
    "@SUM(A1)",
    "\tx",
    "a,b",
    'say "hi"',
    "two\nlines",
    "semi;colon",
    "é🔥",
    "",
    "'quoted",
]


def test_csv_is_read_back_and_runs_nothing(fill, client):
    """A spreadsheet sees texts, never formulas; commas, quotes and line breaks come back."""
    fill(
        "logs",
        [log(-50 + line, body, line=line, attributes={"k": body}) for line, body in enumerate(HOSTILE)],
    )

    answer = client.get(EXPORT, params={"format": "csv", "order": "asc"})

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    assert [row["body"].removeprefix("'") for row in rows] == [body.removeprefix("'") for body in HOSTILE]
    assert not [
        value for row in rows for value in row.values() if value.startswith(("=", "+", "-", "@", "\t", "\r"))
    ]
    assert [json.loads(row["attributes"])["k"] for row in rows] == HOSTILE


def test_limit_gives_the_first_and_too_many_are_refused(fill, client):
    """With limit the first so many; without it more than export_rows are a 422 that says how many there are."""
    fill("logs", [log(-5, "x", line=line) for line in range(260)])

    some = client.get(EXPORT, params={"limit": 10, "order": "asc"})
    error = client.get(EXPORT).json()["error"]

    assert [json.loads(line)["line"] for line in some.text.splitlines()] == list(range(10))
    assert (error["code"], error["param"]) == ("export_too_large", "limit")
    assert "260 records" in error["message"]
    assert "250 at most" in error["message"]


def test_nothing_is_an_empty_export(client):
    """No record: no line; in CSV only the head."""
    assert client.get(EXPORT).text == ""
    assert client.get(EXPORT, params={"format": "csv"}).text.splitlines() == [",".join(log_export._COLUMNS)]


@pytest.mark.parametrize(
    ("asked", "code", "param"),
    [
        ({"format": "xml"}, "bad_parameter", "format"),
        ({"limit": "0"}, "bad_parameter", "limit"),
        ({"query": "a )"}, "query_syntax", "query"),
        ({"query": "/(/"}, "bad_regex", "query"),
        ({"cursor": "x"}, "unknown_parameter", "cursor"),
    ],
)
def test_bad_questions_are_400s(fill, client, asked, code, param):
    """Before a byte of the export is sent."""
    fill("logs", [log(-5, "x")])
    answer = client.get(EXPORT, params=asked)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)


def test_a_client_that_goes_away_ends_the_reading(fill, client, small_pages, monkeypatch, poll):
    """No further page is read for nobody."""
    del small_pages
    fill("logs", [log(-chance, "x" * 60_000, line=chance) for chance in range(48)])
    read: list[int] = []
    page = log_export.logs.page

    def counted(*rest, **named):
        read.append(1)
        return page(*rest, **named)

    monkeypatch.setattr(log_export.logs, "page", counted)
    with client.stream("GET", EXPORT) as answer:
        next(answer.iter_bytes(1000))
    settled = [-1]

    def quiet():
        settled.append(len(read))
        return settled[-1] == settled[-2]

    poll(quiet, every_s=0.3)

    assert 0 < len(read) < 48
