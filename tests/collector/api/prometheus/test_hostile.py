"""Questions that mean harm are refused or answered in time; the API lives on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

API = "/prometheus/api/v1"
DEEP = {
    "brackets": "(" * 5000 + "a" + ")" * 5000,
    "calls": "abs(" * 3000 + "a" + ")" * 3000,
    "signs": "-" * 16_000 + "a",
    "powers": "2^" * 8000 + "2",
    "chain": "a or " * 3000 + "a",
    "subqueries": "max_over_time(" * 80 + "a" + "[5m:1m])" * 80,
    "long": "a" * 200_000,
    "braces": "{" * 16_000,
    "words": "a b " * 4000,
    "unfinished": "sum by (a) " * 1000,
    "comment": "# " + "x" * 16_000,
    "zero byte": "a{b=~'\0'}",
    "lone surrogate": "a{b='\\ud800'}",
    "counted repetition": 'a{b=~"(((x{1,1000}){1,1000}){1,1000})"}',
    "control": "\x01\x02",
}


@pytest.mark.parametrize("name", DEEP)
def test_a_text_that_would_break_the_parser_is_refused(client, name):
    """As bad data or too large, and soon: what would break the parser takes it minutes; the process that answers is still there."""
    began = time.monotonic()

    answer = client.post(f"{API}/query", data={"query": DEEP[name]})

    assert answer.json()["status"] == "error"
    assert answer.status_code in {400, 413, 422}
    assert time.monotonic() - began < 20
    assert client.get(f"{API}/query", params={"query": "1"}).status_code == 200


def test_a_regular_expression_that_backtracks_elsewhere_is_only_a_regular_expression(ours, client):
    """RE2 does not backtrack."""
    ours.write([({"__name__": "a", "b": "x" * 5000 + "!"}, [(1_795_000_000_000, 1.0)])])
    began = time.monotonic()

    answer = client.post(f"{API}/query", data={"query": 'a{b=~"(x+x+)+y"}'})

    assert answer.json()["data"]["result"] == []
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "params",
    [
        {"query": "up", "time": "1e15"},
        {"query": "up", "time": "-1e15"},
        {"query": "up offset 10000y"},
        {"query": "up[10000y]"},
        {"query": "rate(up[290y])"},
        {"query": "up @ 1e18"},
        {"query": "max_over_time(up[1y:1ms])"},
        {"query": "max_over_time(up[300y:1s])"},
    ],
)
def test_times_beyond_all_clocks_are_answered_or_refused(client, params):
    """Never a failure of the collector."""
    answer = client.get(f"{API}/query", params=params)

    assert answer.status_code in {200, 400, 422}, answer.text


@pytest.mark.parametrize(
    "params",
    [
        {"start": "-1e15", "end": "1e15", "step": "1e12"},
        {"start": "0", "end": "1e11", "step": "1e8"},
        {"start": "0", "end": "10", "step": "0.001"},
    ],
)
def test_ranges_beyond_all_clocks_are_answered_or_refused(client, params):
    """As above."""
    answer = client.get(f"{API}/query_range", params={"query": "rate(up[5m])", **params})

    assert answer.status_code in {200, 400, 422}, answer.text


def test_a_form_is_bounded(client):
    """A mebibyte."""
    answer = client.post(f"{API}/query", data={"query": "1", "x": "y" * (1 << 20)})

    assert (answer.status_code, answer.json()["status"]) == (413, "error")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json"}, 415),
        ({"content-type": "application/x-www-form-urlencoded", "content-encoding": "gzip"}, 415),
        ({"content-type": "application/x-www-form-urlencoded; charset=utf-8"}, 200),
        ({"x-query-id": "no good name!", "content-type": "application/x-www-form-urlencoded"}, 400),
    ],
)
def test_other_bodies_are_refused(client, headers, status):
    """In Prometheus' shape."""
    answer = client.post(f"{API}/query", content=b"query=1", headers=headers)

    assert answer.status_code == status
    assert answer.json()["status"] == ("success" if status == 200 else "error")


@pytest.mark.parametrize("query", [b"query=%ff%fe", b"query=1&" * 2000, b"match[]=a&" * 200])
def test_a_query_string_that_cannot_be_read_is_bad_data(client, query):
    """Not UTF-8, too many fields, too many selectors."""
    answer = client.get(f"{API}/labels?" + query.decode())

    assert (answer.status_code, answer.json()["errorType"]) == (400, "bad_data")


@pytest.mark.parametrize("name", ["", "%00", "a%0Ab", "'; DROP TABLE logs; --", "U__" + "_41" * 300, "é"])
def test_a_label_of_any_name_is_only_a_label(client, name):
    """Its name is bound, never part of the statement."""
    answer = client.get(f"{API}/label/{name}/values")

    assert answer.status_code in {200, 400}
    if answer.status_code == 200:
        assert answer.json()["data"] == []


def test_questions_are_parsed_by_several_threads(client):
    """An old name of a function is known to each of them at any time."""
    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(
            lambda _: client.get(f"{API}/format_query", params={"query": "holt_winters(a[5m], 0.5, 0.5)"}),
            range(200),
        )

    assert {answer.status_code for answer in answers} == {200}
