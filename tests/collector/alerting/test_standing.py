"""Our own breaker before each receiver, and its rate: both survive a restart and lose nothing."""

from __future__ import annotations

import socket
from dataclasses import replace

from collector.alerting import outbox, standing
from collector.alerting.events import Event
from collector.alerting.settings import Receiver
from tests.collector.alerting.conftest import SECRET, Breaker


def fire(alerting, breakers, clock, count=1):
    """Let *count* breakers be open for long enough and evaluate."""
    opened = [Breaker(breaker=f"b{number}", since=clock.at) for number in range(count)]
    breakers.now = (*breakers.now, *opened)
    clock.forward(15)
    alerting.round()


def stands(alerting, name="pager"):
    """Give what is remembered about the receiver."""
    with alerting._state.read() as tx:
        return standing.read(tx, name)


def run(alerting, clock, seconds):
    """Deliver once a second for so long; give the seconds at which attempts were made."""
    made = []
    for second in range(seconds):
        if alerting.deliver_due():
            made.append(second)
        clock.forward(1)
    return made


def test_a_dead_receiver_is_asked_once_a_minute_and_has_everything_soon_after_it_is_back(
    start, receiving, breakers, clock
):
    """Fifty pages wait behind an open breaker; one trial a minute at most; after the first answer all are told, once."""
    alerting = start()
    receiving.answer(*[503] * 1000)
    fire(alerting, breakers, clock, 50)
    began = clock.at
    run(alerting, clock, 600)
    asked = len(receiving.requests)
    opened = stands(alerting)
    receiving.answers.clear()
    run(alerting, clock, 61)

    assert opened.breaker(clock.at) in ("open", "half_open")
    assert (opened.opened_at - began).total_seconds() < 60
    # A first batch, a few single attempts until it opens, then one after 5, 10, 20, 40, 60, 60 … s.
    assert asked < 16 + 4 + 14 + 2
    assert {delivery["status"] for delivery in alerting.deliveries()} == {"delivered"}
    assert stands(alerting).breaker(clock.at) == "closed"
    taken = [request.headers["webhook-id"] for request in receiving.requests[asked:]]
    assert len(taken) == len(set(taken)) == 50


def test_an_open_breaker_survives_a_restart(start, receiving, breakers, clock):
    """A collector that starts while a receiver is down does not begin to hammer it."""
    receiving.answer(*[500] * 100)
    first = start()
    fire(first, breakers, clock, 3)
    while stands(first).breaker(clock.at) != "open":
        first.deliver_due()
        clock.forward(1)
    asked = len(receiving.requests)
    again = start()
    fire(again, breakers, clock, 3)

    assert stands(again).failures == standing.FAILURES
    assert again.deliver_due() == 1
    assert stands(again).breaker(clock.at) == "open"
    assert again.deliver_due() == 0
    assert len(receiving.requests) == asked + 1


def test_a_receiver_that_answers_no_is_alive(start, receiving, breakers, clock):
    """A 403 or a 429 is an answer: the breaker stays closed, however many."""
    alerting = start()
    receiving.answer(*[403] * 20)
    fire(alerting, breakers, clock, 10)
    run(alerting, clock, 130)

    assert stands(alerting).breaker(clock.at) == "closed"
    assert stands(alerting).failures == 0
    assert stands(alerting).last_error is not None


def test_a_refusal_of_our_own_opens_no_breaker(start, breakers, clock):
    """A receiver whose address we may not reach is not the receiver's trouble."""
    alerting = start(resolve=lambda host, port: ("169.254.169.254",))  # noqa: ARG005
    fire(alerting, breakers, clock)
    for _ in range(8):
        alerting.deliver_due()
        clock.forward(1800)

    assert stands(alerting).failures == 0
    assert stands(alerting).last_error.startswith("egress_refused")


def test_network_trouble_opens_it_and_another_url_closes_it(start, receiving, receiver, breakers, clock):
    """What an operator changed is tried at once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        alerting = start(receivers=(replace(receiver, url=f"http://127.0.0.1:{free.getsockname()[1]}/"),))
        fire(alerting, breakers, clock)
        run(alerting, clock, 60)
        assert stands(alerting).opened_at is not None
    moved = start()
    clock.forward(300)

    assert moved.deliver_due() == 1
    assert len(receiving.requests) == 1


def test_a_rate_lets_the_rest_wait_and_drops_nothing(start, receiving, receiver, breakers, clock):
    """At most ten in any minute, a restart in between included; all arrive, in order."""
    limited = (replace(receiver, rate_per_minute=10),)
    alerting = start(receivers=limited)
    fire(alerting, breakers, clock, 25)
    counts = []
    for minute in range(3):
        begun = len(receiving.requests)
        run(alerting, clock, 30)
        alerting = start(receivers=limited) if minute == 0 else alerting
        run(alerting, clock, 30)
        counts.append(len(receiving.requests) - begun)

    assert counts == [10, 10, 5]
    assert {delivery["status"] for delivery in alerting.deliveries()} == {"delivered"}


def test_a_storm_is_sent_in_batches_over_few_connections(start, receiving, breakers, clock):
    """Two hundred pages are all told, each once."""
    alerting = start()
    fire(alerting, breakers, clock, 200)

    assert alerting.deliver_due() == 200
    assert len({request.headers["webhook-id"] for request in receiving.requests}) == 200


def test_a_receiver_gets_what_is_addressed_to_it(start, receiving, receiver, clock):
    """An event that names its receivers goes to those of them that asked for its type."""
    second = Receiver("second", receiving.url + "/2", SECRET, allow_private=True, types=("breaker.opened",))
    alerting = start(receivers=(receiver, second))
    with alerting._state.write() as tx:
        events = [
            Event("msg_1", "s", "alert.firing", "{}", ("second",)),
            Event("msg_2", "s", "alert.firing", "{}", ("pager", "second")),
            Event("msg_3", "s", "breaker.opened", "{}", None),
        ]
        outbox.enqueue(tx, events, (receiver, second), clock.at)
    alerting.deliver_due()

    told = {(request.path, request.headers["webhook-id"]) for request in receiving.requests}
    assert told == {("/hook", "msg_2"), ("/hook/2", "msg_3")}
