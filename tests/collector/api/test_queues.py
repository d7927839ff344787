"""GET /queues: producers, queues, consumers, and what brokers say of them, on the real engine."""

from __future__ import annotations

import itertools

import pytest

from collector.api.answer import Page
from collector.api.v1.queues import Queue
from tests.collector.read.real_store import at, span

_IDS = itertools.count(500_000)


def message(seconds, service, kind, queue, system="rabbitmq", **attributes):
    """A producer's or consumer's span; ``batch__message_count`` stands for ``messaging.batch.message_count``."""
    told = {f"messaging.{name.replace('__', '.')}": value for name, value in attributes.items()}
    named = {"messaging.system": system, "messaging.destination.name": queue, **told}
    return span(
        seconds, service, f"{queue} {kind}", kind=kind, attributes={k: v for k, v in named.items() if v}
    )


@pytest.fixture
def gauge(fill):
    """Store a series with its samples, newest last, a minute apart."""

    def store(name, values, env="demo", ago_s=10, **labels):
        series_id = next(_IDS)
        times = [-ago_s - 60 * back for back in range(len(values))][::-1]
        fill("metric_series", [{"series_id": series_id, "name": name, "type": "gauge", "unit": "", "temporality": "", "service": "exporter", "env": env,
                                "labels": labels, "first_seen": at(times[0])[:23], "last_seen": at(times[-1])[:23]}])  # fmt: skip
        fill("metric_samples", [{"series_id": series_id, "at": at(time)[:23], "value": value, "retention_days": 3000} for time, value in zip(times, values, strict=True)])  # fmt: skip

    return store


@pytest.fixture
def asked(client):
    """The documented rows by queue."""

    def ask(**params):
        answer = client.get("/api/v1/queues", params=params)
        assert answer.status_code == 200, answer.text
        return {row.queue: row for row in Page[Queue].model_validate(answer.json()).data}

    return ask


def test_producers_and_consumers_of_a_queue(fill, asked):
    """With rates over the window that has data, errors and groups; without a broker nobody knows its length."""
    fill("spans", [
        *(message(-590, "checkout", "producer", "orders", "kafka") for _ in range(60)),
        *(message(-590, "mailer", "consumer", "orders", "kafka", consumer__group__name="mail") for _ in range(30)),
    ])  # fmt: skip

    row = asked()["orders"]

    assert [(user.service, user.rate) for user in row.producers] == [
        ("checkout", pytest.approx(0.1, rel=0.1))
    ]
    assert [(user.service, user.group) for user in row.consumers] == [("mailer", "mail")]
    assert row.rate_out == pytest.approx(0.05, rel=0.1)
    assert (row.system, row.verdict, row.lag) == ("kafka", "unknown", None)


def test_a_message_counts_once_however_many_spans_tell_of_it(fill, asked):
    """Created and sent, received and processed: the finest counts; a batch counts its messages; settling is neither."""
    fill("spans", [
        message(-590, "checkout", "producer", "orders", operation__type="create"),
        message(-590, "checkout", "client", "orders", operation__type="send"),
        message(-590, "mailer", "client", "orders", operation__type="receive"),
        message(-590, "mailer", "consumer", "orders", operation="receive"),
        message(-590, "mailer", "consumer", "orders", operation="process"),
        message(-590, "mailer", "client", "orders", operation__type="settle"),
        message(-590, "loader", "client", "bulk", operation__type="send", batch__message_count="50"),
        message(-590, "poller", "client", "bulk", operation__type="receive", batch__message_count="x"),
    ])  # fmt: skip

    rows = asked()

    one = pytest.approx(rows["orders"].rate_in)
    assert rows["orders"].rate_out == one
    assert rows["bulk"].rate_in == pytest.approx(50 * rows["bulk"].rate_out, rel=0.1)


def test_rabbitmq_tells_how_long_a_queue_is_and_when_it_is_empty(gauge, asked):
    """Ready and unacknowledged; the trend of ten minutes."""
    for queue, values in {
        "grows": [100, 200, 300, 400, 500, 600],
        "drains": [600, 500, 400, 300, 200, 100],
        "level": [900] * 6,
        "short": [3] * 6,
    }.items():
        gauge("rabbitmq_detailed_queue_messages_ready", values, queue=queue, vhost="/")
        gauge("rabbitmq_detailed_queue_messages_unacked", [5] * 6, queue=queue, vhost="/")
        gauge("rabbitmq_detailed_queue_consumers", [2] * 6, queue=queue, vhost="/")

    rows = asked()

    assert {queue: row.verdict for queue, row in rows.items()} == {
        "grows": "growing", "level": "behind", "drains": "draining", "short": "keeping_up",
    }  # fmt: skip
    assert list(rows) == ["grows", "level", "drains", "short"]
    assert (rows["grows"].ready, rows["grows"].unacked, rows["grows"].lag, rows["grows"].consumer_count) == (
        600,
        5,
        605,
        2,
    )
    assert rows["drains"].drain_s == pytest.approx(105 / (100 / 60), rel=0.01)


def test_a_queue_that_nobody_takes_from_is_stuck(fill, gauge, asked):
    """Whatever its trend, and the evidence says why; an exporter without an environment tells of the one in which the queue is used."""
    fill("spans", [message(-100, "checkout", "producer", "orders")])
    gauge("rabbitmq_queue_messages_ready", [10, 9, 8], env="", queue="orders")
    gauge("rabbitmq_queue_consumers", [0, 0, 0], env="", queue="orders")

    row = asked(env="demo")["orders"]

    assert (row.env, row.verdict, row.consumer_count) == ("demo", "stuck", 0)
    assert row.evidence[0].code == "no_consumers"


def test_two_ways_to_ask_one_broker_are_not_added_up(gauge, asked):
    """Per object and in detail: the same messages."""
    gauge("rabbitmq_queue_messages_ready", [7], queue="orders")
    gauge("rabbitmq_detailed_queue_messages_ready", [7], queue="orders")

    assert asked()["orders"].lag == 7


def test_kafka_tells_the_lag_of_each_group(gauge, asked):
    """Partitions added up; the topic is as far behind as its furthest group; offsets tell rates."""
    for partition, (mail, search) in {"0": (40, 1), "1": (60, 2)}.items():
        gauge(
            "kafka_consumergroup_lag", [mail] * 5, topic="orders", partition=partition, consumergroup="mail"
        )
        gauge(
            "kafka_consumergroup_lag",
            [search] * 5,
            topic="orders",
            partition=partition,
            consumergroup="search",
        )
        gauge(
            "kafka_topic_partition_current_offset",
            [1000, 1060, 1120, 1180, 1240],
            topic="orders",
            partition=partition,
        )
        gauge(
            "kafka_consumergroup_current_offset",
            [900, 930, 960, 990, 1020],
            topic="orders",
            partition=partition,
            consumergroup="mail",
        )
    gauge("kafka_consumergroup_members", [3], consumergroup="mail")

    row = asked()["orders"]

    assert row.lag == 100
    assert [(group.group, group.lag, group.members) for group in row.groups] == [
        ("mail", 100, 3),
        ("search", 3, None),
    ]
    assert (row.rate_in, row.rate_out) == (pytest.approx(2, rel=0.01), pytest.approx(1, rel=0.01))


@pytest.mark.parametrize(
    "name",
    ["orders.DLT", "orders-dlq", "orders.dead-letter", "orders_error", "DLX.orders", "orders-dead-letters"],
)
def test_dead_letters_are_known_by_their_names(fill, gauge, asked, name):
    """And said to wait, with the queue that they come from where it is known."""
    fill("spans", [message(-100, "checkout", "producer", "orders")])
    gauge("rabbitmq_queue_messages_ready", [4], queue=name)

    row = asked()[name]

    assert (row.dead_letter, row.dead_letters_of) == (True, "orders")
    assert "dead_letters" in {each.code for each in row.evidence}


@pytest.mark.parametrize("name", ["deadline", "headlines", "xdlqx", "errors", "poisonous"])
def test_names_that_only_look_like_it_are_queues_like_any_other(gauge, asked, name):
    """A word within a word is none."""
    gauge("rabbitmq_queue_messages_ready", [4], queue=name)

    assert asked()[name].dead_letter is False


def test_hostile_numbers_and_names_break_nothing(fill, gauge, asked):
    """NaN, infinities, endless names, batches of nonsense."""
    fill(
        "spans",
        [
            message(-100, "a", "producer", "q" * 5000, batch__message_count="99999999999999999999"),
            message(-100, "a", "producer", "'; DROP--\x00"),
        ],
    )
    gauge("rabbitmq_queue_messages_ready", [float("1e308")] * 3, queue="huge")

    rows = asked()

    assert rows["huge"].lag == 1e308
    assert "q" * 5000 in rows


def test_old_samples_are_not_the_present(gauge, asked):
    """An exporter that died an hour ago says nothing."""
    gauge("rabbitmq_queue_messages_ready", [4], queue="orders", ago_s=1200)

    assert asked() == {}
