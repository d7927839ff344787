"""Twenty-four simulated hours of a receiver that refuses, fails, hangs and vanishes, by a clock set by hand."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.collector.alerting.conftest import Answer, Breaker

DAY_S = 86_400
# Mostly trouble; each answer is drawn anew.
TROUBLE = (
    lambda: Answer(429, {"Retry-After": "120"}),
    lambda: Answer(
        429, {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)}
    ),
    lambda: Answer(429, {"Retry-After": "soon"}),
    lambda: Answer(500),
    lambda: Answer(502, {}, b"<html>bad gateway</html>"),
    lambda: Answer(503, {"Retry-After": "30"}),
    lambda: Answer(404),
    lambda: Answer(302, {"Location": "/elsewhere"}),
    lambda: Answer(204),
)


STEP_S = 300
# Here nobody is answered before we lose patience. In every other step there is patience enough for a machine that stands still: a 204 that
# comes too late is rightly asked for again, and would look like an event told twice.
HANGS = (20, 40, 60, 80, 100)
HANGING_S, IMPATIENT_S, PATIENT_S = 0.4, 0.2, 60


class Moody:
    """Decides what a request is answered, and remembers who was told what."""

    def __init__(self, dice):
        self.dice = dice
        self.hangs = False
        self.well = False
        self.taken = []

    def __call__(self, request):
        """Give the next answer."""
        if self.hangs:
            time.sleep(HANGING_S)
            return Answer(500)
        answer = Answer(204) if self.well else self.dice.choice(TROUBLE)()
        if answer.status == 204:
            self.taken.append(request)
        return answer


def test_a_day_of_everything_loses_and_doubles_nothing(start, receiving, receiver, breakers, clock):
    """Every transition is taken exactly once, each subject's in order, restarts in between; the receiver is asked a bounded number of times."""
    dice = random.Random(7)
    moody = receiving.decide = Moody(dice)
    receiving.server.handle_error = lambda *_: None  # we hang up on it: that is the point
    patient, impatient = ((replace(receiver, timeout_s=seconds),) for seconds in (PATIENT_S, IMPATIENT_S))
    alerting = start(receivers=patient)
    board = {}
    for step in range(DAY_S // STEP_S):
        if step % 20 == 0:
            board[step] = Breaker(breaker=f"b{step}", since=clock.at - timedelta(seconds=20))
        if step % 20 == 13:
            name = dice.choice(list(board))
            board[name] = replace(board[name], state="closed", since=clock.at)
        breakers.now = tuple(board.values())
        alerting.round()
        moody.hangs = step in HANGS
        (start(receivers=impatient) if moody.hangs else alerting).deliver_due()
        alerting = start(receivers=patient) if step % 97 == 96 else alerting
        clock.forward(STEP_S)
    tried = len(receiving.requests)
    moody.well = True
    for _ in range(45):
        clock.forward(60)
        alerting.deliver_due()

    told = alerting.deliveries(1000)
    ids = [request.headers["webhook-id"] for request in moody.taken]
    assert {delivery["status"] for delivery in told} == {"delivered"}
    assert sorted(ids) == sorted(delivery["webhook_id"] for delivery in told)
    assert len(ids) == len(set(ids)) > 20
    assert len(ids) < tried < DAY_S // STEP_S * 16
    types = [json.loads(request.body) for request in moody.taken]
    firing = set()
    for event in types:
        name = event["data"]["labels"]["breaker"]
        assert (event["type"] == "alert.firing") == (name not in firing)
        firing.add(name)
