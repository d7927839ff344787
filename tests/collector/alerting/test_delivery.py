"""What a receiver's answers do: retried, held, redirected, disabled, slow."""

from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import replace

import pytest
from sqlalchemy import select

from collector.alerting import Receiver
from collector.alerting.guard import Egress
from collector.alerting.receivers import Post
from collector.alerting.webhooks import Sender
from collector.errors import NotFound
from collector.state.tables import attempts


def fire(alerting, breakers, clock, **fields):
    """Let a breaker be open for long enough and evaluate."""
    breakers.set(state="open", since=clock.at, **fields)
    clock.forward(15)
    alerting.round()


def newest(alerting):
    """Give the last delivery as the API shows it."""
    return alerting.deliveries()[0]


def test_429_is_retried_not_before_retry_after_and_holds_back_the_receiver(start, receiving, breakers, clock):
    """A receiver that asks for two minutes gets nothing for two minutes, other events included."""
    alerting = start()
    receiving.answer(429, Retry_After="120")
    fire(alerting, breakers, clock)
    alerting.deliver_due()
    first_id = receiving.requests[0].headers["webhook-id"]

    fire(alerting, breakers, clock, breaker="inventory")
    clock.forward(104)
    assert alerting.deliver_due() == 0
    assert newest(alerting)["status"] == "pending"

    clock.forward(1)
    assert alerting.deliver_due() == 2
    assert [request.headers["webhook-id"] for request in receiving.requests].count(first_id) == 2
    assert {delivery["status"] for delivery in alerting.deliveries()} == {"delivered"}


def test_retry_after_may_be_a_date(start, receiving, breakers, clock):
    """An HTTP date counts from the machine's clock."""
    from datetime import UTC, datetime, timedelta
    from email.utils import format_datetime

    alerting = start()
    receiving.answer(503, Retry_After=format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True))
    fire(alerting, breakers, clock)
    alerting.deliver_due()

    clock.forward(3300)
    assert alerting.deliver_due() == 0
    clock.forward(301)
    assert alerting.deliver_due() == 1


def test_500s_are_retried_with_growing_pauses_under_one_id(start, receiving, breakers, clock):
    """2, 4, 8 s … between attempts; every repeat is the same message with a fresh signature."""
    alerting = start()
    receiving.answer(500, 502, 503)
    fire(alerting, breakers, clock)
    pauses = []
    last = clock.at
    while newest(alerting)["status"] == "pending":
        if alerting.deliver_due():
            pauses.append((clock.at - last).total_seconds())
            last = clock.at
        clock.forward(1)

    assert pauses == [0, 2, 4, 8]
    assert len({request.headers["webhook-id"] for request in receiving.requests}) == 1
    assert len({request.body for request in receiving.requests}) == 1
    assert len({request.headers["webhook-signature"] for request in receiving.requests}) == 4
    assert newest(alerting)["attempts"] == 4


def test_a_day_of_trouble_delivers_once_the_receiver_is_back(start, receiving, breakers, clock):
    """24 simulated hours of 429, 500 and 503; minutes after their end the event is delivered, once."""
    alerting = start()
    fire(alerting, breakers, clock)
    began = clock.at
    while (clock.at - began).total_seconds() < 86_400:
        receiving.answer(429, Retry_After="1800")
        receiving.answer(500, 503)
        for _ in range(3):
            assert alerting.deliver_due() == 1
            clock.forward(1800)
    clock.forward(300)
    assert alerting.deliver_due() == 1

    assert newest(alerting)["status"] == "delivered"
    assert newest(alerting)["attempts"] == len(receiving.requests) == 49
    assert len({request.headers["webhook-id"] for request in receiving.requests}) == 1


def test_after_three_days_a_delivery_is_failed_and_shown(start, receiving, breakers, clock):
    """A last attempt at three days, then it is failed, with the reason."""
    alerting = start()
    fire(alerting, breakers, clock)
    for _ in range(4):
        receiving.answer(500)
        alerting.deliver_due()
        clock.forward(86_400)

    assert newest(alerting)["status"] == "failed"
    assert newest(alerting)["last_error"] == "answered 500"
    assert alerting.deliver_due() == 0


def test_410_disables_the_receiver_with_a_notice(start, receiving, breakers, clock):
    """Gone means gone: no further request, health and deliveries say so, until someone enables it."""
    alerting = start()
    receiving.answer(410)
    fire(alerting, breakers, clock)
    alerting.deliver_due()
    fire(alerting, breakers, clock, breaker="inventory")
    alerting.deliver_due()

    assert len(receiving.requests) == 1
    assert [delivery["status"] for delivery in alerting.deliveries()] == ["failed", "failed"]
    assert "410 Gone" in newest(alerting)["last_error"]
    ((code, notice),) = alerting.health().reasons
    assert (code, notice.split(":")[0]) == ("receiver_disabled", "pager")

    again = start()
    again.sent.enable("pager")
    breakers.now = (*breakers.now, replace(breakers.now[0], breaker="catalog"))
    again.round()
    again.deliver_due()
    assert again.health().ok
    assert newest(again)["status"] == "delivered"
    with pytest.raises(NotFound, match="no receiver 'nobody'; known: pager"):
        again.sent.enable("nobody")


def test_a_disabled_receiver_with_another_url_begins_anew(start, receiving, receiver, breakers, clock):
    """Changing the URL is how an operator answers a 410."""
    receiving.answer(410)
    alerting = start()
    fire(alerting, breakers, clock)
    alerting.deliver_due()

    moved = start(receivers=(replace(receiver, url=receiving.url + "/new"),))
    fire(moved, breakers, clock, breaker="inventory")
    moved.deliver_due()

    assert receiving.requests[-1].path == "/hook/new"
    assert moved.health().ok


def test_a_redirect_is_a_failure_and_is_not_followed(start, receiving, breakers, clock):
    """The Location is never asked; the delivery is tried again slowly."""
    alerting = start()
    receiving.answer(302, Location=f"{receiving.url}/elsewhere")
    fire(alerting, breakers, clock)
    alerting.deliver_due()

    assert [request.path for request in receiving.requests] == ["/hook"]
    assert newest(alerting)["last_status"] == 302
    clock.forward(59)
    assert alerting.deliver_due() == 0
    clock.forward(1)
    assert alerting.deliver_due() == 1


def test_other_refusals_are_retried_slowly_and_recorded(start, receiving, breakers, clock):
    """A 403 is tried again after a minute; each attempt is on record with what the receiver said."""
    alerting = start()
    receiving.answer(403)
    receiving.answers[0].body = b"who are you? " * 100
    fire(alerting, breakers, clock)
    alerting.deliver_due()
    clock.forward(60)
    alerting.deliver_due()

    with alerting._state.read() as tx:
        first, second = tx.execute(select(attempts).order_by(attempts.c.number))
    assert (first.status, first.error, first.address) == (403, "answered 403", "127.0.0.1")
    assert first.body_excerpt.startswith("who are you?")
    assert len(first.body_excerpt) == 512
    assert (second.number, second.status, second.error) == (2, 204, None)


def test_resolved_waits_for_its_firing(start, receiving, breakers, clock):
    """What a receiver did not take yet is not overtaken by its own end; another subject is not held up."""
    alerting = start()
    receiving.answer(403)
    fire(alerting, breakers, clock)
    alerting.deliver_due()
    breakers.set(state="closed")
    alerting.round()
    fire(alerting, breakers, clock, service="cart")
    alerting.deliver_due()
    clock.forward(60)
    alerting.deliver_due()

    arrived = [json.loads(request.body) for request in receiving.requests[1:]]
    assert [(body["data"]["labels"]["service"], body["type"]) for body in arrived] == [
        ("cart", "alert.firing"),
        ("checkout", "alert.firing"),
        ("checkout", "alert.resolved"),
    ]


def test_a_metadata_address_is_never_asked(start, receiving, breakers, clock):
    """A receiver whose name begins to resolve to the metadata service gets nothing; the delivery says why."""
    alerting = start(resolve=lambda host, port: ("169.254.169.254",))  # noqa: ARG005
    fire(alerting, breakers, clock)
    alerting.deliver_due()

    assert not receiving.requests
    assert newest(alerting)["last_error"].startswith("egress_refused: '127.0.0.1' at 169.254.169.254")
    assert newest(alerting)["status"] == "pending"


def test_a_receiver_nobody_answers_for_is_retried(start, breakers, clock, receiver):
    """A refused connection is network trouble with a sentence, not a stack trace."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        alerting = start(receivers=(replace(receiver, url=url),))
        fire(alerting, breakers, clock)
        alerting.deliver_due()

    assert newest(alerting)["last_error"].startswith("network: ConnectError")
    assert newest(alerting)["status"] == "pending"


def test_an_answer_that_drips_ends_at_the_timeout():
    """One header byte at a time never restarts the clock: the attempt ends after timeout_s."""
    stop = threading.Event()

    def drip(server):
        connection, _ = server.accept()
        with connection:
            try:
                while not stop.wait(0.02):
                    connection.sendall(b"H")
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        begun = time.monotonic()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        post = Post(url, {}, b"{}")
        (outcome,) = Sender(Egress(())).send([post], allow_private=True, timeout_s=0.3)
        elapsed = time.monotonic() - begun
        stop.set()
        socket.create_connection(server.getsockname()).close()  # if the time was over before we connected
        thread.join()

    assert outcome.status is None
    assert outcome.error == "timeout: no complete answer within 0.3 s"
    assert elapsed < 60  # 64 KiB of a header, a byte at a time, are twenty minutes


def test_breaker_events_go_to_who_asked_for_them(start, receiving, receiver, breakers, clock):
    """Opened once, closed once, half-open trials in between untold; a receiver of alerts gets none."""
    board = Receiver(
        name="board",
        url=receiving.url + "/board",
        secret=receiver.secret,
        allow_private=True,
        types=("breaker.opened", "breaker.closed"),
    )
    alerting = start(receivers=(receiver, board))
    for state in ("closed", "open", "half_open", "open", "unknown", "half_open", "closed", "closed"):
        breakers.set(state=state, since=clock.at)
        alerting.round()
        alerting.deliver_due()
        clock.forward(1)

    assert [request.path for request in receiving.requests] == ["/hook/board", "/hook/board"]
    opened, closed = (json.loads(request.body) for request in receiving.requests)
    assert (opened["type"], closed["type"]) == ("breaker.opened", "breaker.closed")
    assert opened["data"] == {
        "service": "checkout",
        "env": "demo",
        "breaker": "payment",
        "target": "payment",
        "state": "open",
        "since": "2026-11-22T03:00:01.000000000Z",
        "value": 0.0,
        "reason": "5 of 5 calls failed",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "url": "https://fuse.example/breakers/checkout/payment?env=demo",
        "instances": [{"instance": "checkout-1", "state": "open", "since": "2026-11-22T03:00:01.000000000Z"}],
    }
    assert (closed["data"]["state"], closed["data"]["value"]) == ("closed", 5.0)


def test_history_is_forgotten_after_its_days(start, breakers, clock):
    """Finished deliveries and resolved alerts go after history_days; living alerts stay."""
    alerting = start(history_days=4)
    fire(alerting, breakers, clock)
    alerting.deliver_due()
    breakers.now = (replace(breakers.now[0], state="closed"), replace(breakers.now[0], service="cart"))
    alerting.round()
    alerting.deliver_due()
    assert len(alerting.deliveries()) == 3
    clock.forward(5 * 86_400)
    alerting.round()

    assert alerting.deliveries() == []
    assert [(alert["state"], alert["labels"]["service"]) for alert in alerting.alerts()] == [
        ("firing", "cart")
    ]


def test_an_empty_outbox_is_not_read_until_something_was_written(start, receiving, breakers, clock):
    """By anybody: what is enqueued then is found at the next look."""
    alerting = start()
    alerting.round()
    alerting.deliver_due()
    (courier,) = alerting._couriers
    empty = courier._empty == alerting._state.mark() is not None
    fire(alerting, breakers, clock)

    assert empty
    assert alerting.deliver_due() == 1
    assert len(receiving.requests) == 1
