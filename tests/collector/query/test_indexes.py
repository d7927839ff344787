"""Searches for words, phrases and ids skip what cannot match: the engine's own plan says so."""

import re

import pytest

from collector.query.search import LOGS, compile_search
from tests.collector.read.real_store import Filler, log

_RECORDS = 120_000
_FILL = """
INSERT INTO logs (occurred_at, observed_at, service, env, severity, severity_number, body, trace_id, span_id, batch_id, line, retention_days)
SELECT toDateTime64('2026-11-18 10:00:00', 9, 'UTC') + toIntervalMillisecond(number) AS at, at, concat('s', toString(intDiv(number, 30000))),
       'demo', 'info', 9, concat('Order ', toString(number), ' of client-', toString(intDiv(number, 9)), ' placed'),
       lower(hex(sipHash128(number))), '', 'b', number, 3000
FROM numbers({records:UInt32})
"""
_ID = "SELECT trace_id FROM logs WHERE line = 77777 LIMIT 1"


@pytest.fixture(scope="module")
def many(store):
    """A store with some fifteen granules."""
    filler = Filler(store)
    filler("logs", [log(-1, "one")])  # what is to be emptied
    store.command(_FILL, {"records": _RECORDS})
    store.command("OPTIMIZE TABLE logs FINAL")
    yield store
    filler.empty()


def granules(store, search):
    """Index name -> (granules left, granules before) in the plan of a search."""
    condition = compile_search(search, LOGS, 0)
    sql = f"EXPLAIN indexes = 1 SELECT body FROM logs WHERE {condition.sql} LIMIT 100"
    plan = "\n".join(row["explain"] for row in store.query(sql, condition.params).rows)
    found = re.findall(
        r"(?:Name: (\w+)|(PrimaryKey))\n(?:(?!Name:|PrimaryKey).)*?Granules: (\d+)/(\d+)", plan, re.DOTALL
    )
    return {name or key: (int(left), int(before)) for name, key, left, before in found}


@pytest.mark.parametrize(
    ("search", "index"),
    [
        ("77777", "body_tokens"),
        ("ORDER 77777", "body_tokens"),
        ('"order 77777 of"', "body_tokens"),
        ("client-77", "body_tokens"),
        ("body:77777", "body_tokens"),
        ("order-77777-o*", "body_tokens"),
        ("service:s1 77777", "body_tokens"),
        ("77777 OR 99999", "body_tokens"),
        ("nowhere", "body_tokens"),
        ("service:s1", "PrimaryKey"),
    ],
)  # fmt: skip
def test_a_search_reads_only_where_it_may_be(many, search, index):
    """At most a third of what the index was asked about is read."""
    left, before = granules(many, search)[index]

    assert before >= 4
    assert left <= before // 3
    assert left < before


def test_a_trace_id_reads_only_where_it_may_be(many):
    """By the bloom filter, in any case of letters."""
    identifier = many.query(_ID).rows[0]["trace_id"]

    for written in (identifier, identifier.upper(), f'"{identifier}"'):
        left, before = granules(many, f"trace_id:{written}")["trace_id_bloom"]
        assert left < before


def test_a_bare_prefix_has_no_index(many):
    """``77*`` is part of a token: the token index cannot know it, and the plan does not pretend to."""
    assert "body_tokens" not in granules(many, "7777*") or granules(many, "7777*")["body_tokens"][0] > 4
