"""GET /logs/patterns on the real engine."""

import pytest

from collector.api.answer import Page
from collector.api.v1.patterns import Pattern
from tests.collector.read.real_store import at, log

USERS = ["root", "admin", "alice", "bob", "carol", "dave"]


@pytest.fixture
def asked(fill, client):
    """Logins by many users, a new kind of error since version 2, and somebody else's records; asks with parameters."""
    rows = [log(-1800 + number, f"user {user} logged in from 10.0.0.{number}", line=number)
            for number, user in enumerate(USERS * 5)]  # fmt: skip
    rows += [
        log(-600 + number, f"payment {number} declined\nTraceback: line {number}", line=100 + number, severity="error",
            severity_number=17, resource={"service.version": "2"})
        for number in range(10)
    ]  # fmt: skip
    rows += [log(-1700, "noise 1", line=200, service="other", resource={"service.version": "1"})]
    fill("logs", rows)
    return lambda **params: client.get("/api/v1/logs/patterns", params=params)


def rows(answer):
    """The rows of a good answer."""
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_patterns_come_with_counts_shares_trend_and_examples(asked):
    """The commonest first; the answer fits the documented model."""
    answer = asked(query="service:checkout", buckets=6)

    first, second = Page[Pattern].model_validate(answer.json()).data
    assert (first.template, first.count, first.share) == ("user <*> logged in from <*>", 30, 0.75)
    assert (second.template, second.count, second.severity) == ("payment <*> declined", 10, "error")
    assert first.first_seen == at(-1800).replace(" ", "T") + "Z"
    assert first.last_seen == at(-1771).replace(" ", "T") + "Z"
    assert sum(first.trend) == 30
    assert first.trend_step_s == 600
    assert len(first.examples) == 3
    assert first.services == ["checkout"]
    assert first.new is None


def test_the_search_of_a_pattern_finds_its_records(asked, client):
    """Its query, put into /logs, gives exactly as many records."""
    for row in rows(asked()):
        found = client.get("/api/v1/logs", params={"query": row["query"], "limit": 1000}).json()["data"]

        assert len(found) == row["count"], row["query"]


def test_new_since_a_time_or_a_deploy(asked):
    """New is what the part of the window before then does not have."""
    by_time = {row["template"]: row["new"] for row in rows(asked(new_since="-15m"))}
    by_deploy = rows(asked(new_since="deploy", only_new=True))
    by_version = {row["template"]: row["new"] for row in rows(asked(new_since="deploy:1"))}

    assert by_time == {"user <*> logged in from <*>": False, "payment <*> declined": True, "noise <*>": False}
    assert [row["template"] for row in by_deploy] == ["payment <*> declined"]
    assert by_version == {
        "user <*> logged in from <*>": False,
        "payment <*> declined": True,
        "noise <*>": True,
    }


def test_a_deploy_nobody_made_is_a_warning(asked):
    """Nothing is marked, and the answer says why."""
    answer = asked(new_since="deploy:9").json()

    assert {row["new"] for row in answer["data"]} == {None}
    assert "version '9'" in answer["warnings"][0]


def test_an_empty_window_has_no_patterns(asked):
    """No record, no row, no error."""
    assert rows(asked(query="nothing_like_this")) == []


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"new_since": "-2h"}, "bad_parameter", "new_since"),
        ({"new_since": "yesterday"}, "bad_time", "new_since"),
        ({"only_new": "true"}, "bad_parameter", "only_new"),
        ({"buckets": "0"}, "bad_parameter", "buckets"),
        ({"query": "a AND"}, "query_syntax", "query"),
    ],
)
def test_bad_parameters_are_named(asked, params, code, param):
    """A 400 that names the parameter."""
    answer = asked(**params)

    assert (answer.status_code, answer.json()["error"]["code"], answer.json()["error"]["param"]) == (
        400,
        code,
        param,
    )


def test_hostile_bodies_are_patterns_like_any_other(fill, client):
    """Markup, quotes, slashes, regex characters, control characters and endless lines come back, and are found again."""
    bodies = [
        "<script>alert('x')</script>",
        "a/b\\c [d] (e) {f} $^.*+?|",
        'say "hi" 1',
        "",
        "\x02\x00\x1b[31m",
        "ü" * 5000,
        "x" * 3000,
    ]
    fill("logs", [log(-number - 1, body, line=number) for number, body in enumerate(bodies)])

    answer = client.get("/api/v1/logs/patterns").json()

    assert sum(row["count"] for row in answer["data"]) == len(bodies)
    for row in answer["data"]:
        found = client.get("/api/v1/logs", params={"query": row["query"]})
        assert found.status_code == 200, (row["query"], found.text)
        assert len(found.json()["data"]) >= row["count"], row["query"]
