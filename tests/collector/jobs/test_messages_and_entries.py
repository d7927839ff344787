"""The jobs that pair messages and count calls from outside, on the real engine."""

from __future__ import annotations

import itertools

import pytest

from collector.jobs.entries import ENTRIES
from collector.jobs.messages import MESSAGES
from collector.jobs.runner import run_statement
from collector.query.window import SECOND_NS
from tests.collector.read.real_store import NOW_NS, Filler, span, store

__all__ = ["store"]

_DAYS = itertools.count(1)


class Bench:
    """A day of its own: windows that were run once are remembered by the engine."""

    def __init__(self, store):
        self.store, self.fill = store, Filler(store)
        self.base_s = -86_400 * next(_DAYS)

    def spans(self, *told):
        """Store spans given as (service, kind, id, parent, fields)."""
        self.fill("spans", [
            span(self.base_s + fields.pop("after_s", 1), service, fields.pop("name", "GET /pay"), kind=kind, span_id=own, parent_span_id=parent, **fields)
            for service, kind, own, parent, fields in told
        ])  # fmt: skip

    def run(self, job):
        """Run the window of the base's minute, twice: the second time adds nothing."""
        start_ns = NOW_NS + self.base_s * SECOND_NS
        for _ in range(2):
            run_statement(self.store, job, job.statements[0], start_ns, start_ns + 60 * SECOND_NS)

    def rows(self, sql):
        return [tuple(row.values()) for row in self.store.query(sql).rows]


@pytest.fixture
def bench(store):
    made = Bench(store)
    yield made
    made.fill.empty()
    for table in ("message_minutes", "entry_minutes"):
        store.command(f"TRUNCATE TABLE {table}")


def sent(queue, **fields):
    """Attributes and links of a message's span."""
    return {"attributes": {"messaging.system": "rabbitmq", "messaging.destination.name": queue}, **fields}


PAIRED = """SELECT producer, sent_to, received_from, consumer, sum(calls) AS n, round(quantilesTDigestMerge(0.5, 0.95, 0.99)(waited_ns)[1] / 1e6) AS waited_ms
            FROM message_minutes GROUP BY producer, sent_to, received_from, consumer ORDER BY consumer, producer LIMIT 100"""


def test_a_message_is_paired_by_its_links_and_by_its_parent(bench):
    """The exchange it was sent to and the queue it came out of, and how long it waited; a batch has many origins."""
    link = {"trace_id": "t" * 32, "trace_state": "", "attributes": {}}
    bench.spans(
        ("checkout", "producer", "p1", "", sent("shop:orders")),
        ("returns", "producer", "p2", "", sent("shop:orders")),
        ("mailer", "consumer", "c1", "p1", sent("shop:orders:mail", after_s=3.01)),
        (
            "search",
            "consumer",
            "c2",
            "other",
            sent(
                "index",
                after_s=2.01,
                trace_id="u" * 32,
                links=[{**link, "span_id": "p1"}, {**link, "span_id": "p2"}],
            ),
        ),
        ("lost", "consumer", "c3", "nobody", sent("index")),
    )

    bench.run(MESSAGES)

    assert bench.rows(PAIRED) == [
        ("checkout", "shop:orders", "shop:orders:mail", "mailer", 1, 2000),
        ("checkout", "shop:orders", "index", "search", 1, 1000),
        ("returns", "shop:orders", "index", "search", 1, 1000),
    ]


ENTERED = """SELECT service, by, client, method, route, sum(calls) AS n, sum(errors) AS failed, sum(weighted_calls) AS weighted
             FROM entry_minutes GROUP BY service, by, client, method, route ORDER BY service, by, n DESC, client LIMIT 1000"""


def called(**attributes):
    """Attributes of a served call."""
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    return {"attributes": {"http.request.method": "POST", "http.route": "/pay", **named}}


def test_a_call_from_outside_is_one_whose_caller_is_not_inside(bench):
    """Without a parent, or with one that never came; a call of one service by another is not at the entry."""
    bench.spans(
        ("web", "server", "s1", "", called()),
        ("web", "client", "s2", "s1", {}),
        ("pay", "server", "s3", "s2", called()),
        ("pay", "server", "s4", "browser", called(http__response__status_code="503")),
    )

    bench.run(ENTRIES)

    assert bench.rows(ENTERED) == [
        ("pay", "", "", "POST", "/pay", 1, 1, 1.0),
        ("web", "", "", "POST", "/pay", 1, 0, 1.0),
    ]


def test_clients_are_told_apart_by_what_their_calls_say(bench):
    """Each way is a view of its own; of a key only the beginning of its hash is kept."""
    bench.spans(
        (
            "web",
            "server",
            "s1",
            "",
            called(
                client__id="app",
                enduser__id="u7",
                user_agent__original="okhttp/4.9.1",
                client__address="192.0.2.7",
            ),
        ),
        (
            "web",
            "server",
            "s2",
            "",
            called(
                api__key="secret-key",
                user_agent__original="Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/126.0 Safari/537.36",
            ),
        ),
        ("web", "server", "s3", "", {**called(user_agent__original="(;"), "trace_state": "ot=th:c"}),
    )

    bench.run(ENTRIES)

    rows = bench.rows(ENTERED)
    assert {(by, client): n for _, by, client, _, _, n, _, _ in rows} == {
        ("", ""): 3, ("client", "app"): 1, ("client", "key 85dbe15d"): 1, ("user", "u7"): 1, ("agent", "okhttp"): 1, ("agent", "Chrome"): 1, ("address", "192.0.2.7"): 1,
    }  # fmt: skip
    assert rows[0][-1] == 6.0
    assert "secret-key" not in str(bench.rows("SELECT client FROM entry_minutes LIMIT 100"))


def test_a_million_clients_are_fifty_and_the_others(bench):
    """The busiest by name, all others as one: every call is counted."""
    crowd = [
        ("web", "server", f"s{number}", "", called(client__address=f"192.0.2.{number}"))
        for number in range(120)
    ]
    bench.spans(
        *crowd, *[("web", "server", f"b{number}", "", called(client__address="busy")) for number in range(5)]
    )

    bench.run(ENTRIES)

    clients = {client: n for _, by, client, _, _, n, _, _ in bench.rows(ENTERED) if by == "address"}
    assert len(clients) == 51
    assert (clients["busy"], clients["(others)"], sum(clients.values())) == (5, 71, 125)
