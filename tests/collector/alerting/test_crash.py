"""kill -9 at every point of a round: no event is lost, a repeat carries the same webhook-id."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from collector.state import State
from collector.state.tables import attempts

ROOT = Path(__file__).parents[3]
START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def forking() -> Iterator[subprocess.Popen[str]]:
    """Start the process whose forks are collectors."""
    command = [sys.executable, str(Path(__file__).with_name("forking_collector.py"))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    yield process
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


@pytest.fixture
def collector(forking, rule_file, state_url, receiving) -> Callable[..., bool]:
    """Give a function that runs one round in a process of its own and says whether it was killed."""

    def run(state: str, now: datetime, **spec: object) -> bool:
        told = {"rule_file": str(rule_file), "state_url": state_url, "receiver": receiving.url, **spec}
        told |= {"state": state, "now": now.isoformat(), "since": (now - timedelta(seconds=20)).isoformat()}
        forking.stdin.write(json.dumps(told) + "\n")
        forking.stdin.flush()
        return json.loads(forking.stdout.readline())["killed"]

    return run


def events(requests):
    """Give (webhook-id, type) in order of first arrival, asserting that repeats are the same bytes."""
    seen = {}
    for request in requests:
        body = seen.setdefault(request.headers["webhook-id"], request.body)
        assert request.body == body
    return [json.loads(body)["type"] for body in seen.values()]


def test_killed_at_any_point_each_transition_arrives_once_by_webhook_id(collector, receiving):
    """Whatever write, commit or send a SIGKILL hits, the next start tells each transition, in order."""
    point = 0
    killed = True
    while killed:
        point += 1
        at = START + timedelta(minutes=point)
        killed = collector("open", at, kill_at=point)
        collector("open", at + timedelta(seconds=1))
        killed |= collector("closed", at + timedelta(seconds=5), kill_at=point)
        collector("closed", at + timedelta(seconds=6))

        assert events(receiving.requests) == ["alert.firing", "alert.resolved"] * point
    assert point > 12


ROUTE = {
    "receiver": "pager",
    "group_by": ["env"],
    "group_wait": 5,
    "group_interval": 60,
    "repeat_interval": 120,
}
# (seconds, state of checkout's breaker, of cart's): together, repeated, one ends, the other ends.
STEPS = [
    (0, "open", "open"),
    (5, "open", "open"),
    (125, "open", "open"),
    (185, "closed", "open"),
    (245, "closed", "closed"),
]


def test_killed_at_any_point_groups_keep_their_clocks(collector, receiving, tmp_path):
    """Grouped, repeated, partly and wholly resolved: the same notifications by webhook-id as without any kill."""

    def walk(name, kill_at):
        before = len(receiving.requests)
        state_url = f"sqlite:///{tmp_path / name}.db"
        killed = False
        for seconds, checkout, cart in STEPS:
            at = START + timedelta(seconds=seconds)
            told = {"state_url": state_url, "routes": [ROUTE], "others": {"cart": cart}}
            if kill_at and collector(checkout, at, kill_at=kill_at, **told):
                killed = True
                collector(checkout, at, **told)
            elif not kill_at:
                collector(checkout, at, **told)
        return killed, {
            request.headers["webhook-id"]: json.loads(request.body)["type"]
            for request in receiving.requests[before:]
        }

    _, wanted = walk("whole", None)
    assert sorted(wanted.values()) == ["alert.firing"] * 3 + ["alert.resolved"]
    point, killed = 0, True
    while killed:
        point += 1
        killed, found = walk(f"kill{point}", point)
        assert found == wanted, point
    assert point > 12


def test_killed_at_any_point_two_receivers_are_told_independently(collector, receiving):
    """A kill while one is told neither takes the event from the other nor tells it as another one."""
    point, steps = 0, 0
    killed = True
    while killed:
        point += 5
        steps += 1
        at = START + timedelta(minutes=point)
        killed = collector("open", at, kill_at=point, second=True)
        collector("open", at + timedelta(seconds=1), second=True)
        collector("closed", at + timedelta(seconds=6), second=True)

        for path in ("/hook", "/hook/second"):
            mine = [request for request in receiving.requests if request.path == path]
            ids = {request.headers["webhook-id"] for request in mine}
            assert len(ids) == 2 * steps
    assert steps > 3


def test_killed_between_commit_and_send_the_event_is_sent_by_the_next_start(collector, receiving):
    """The receiver has seen nothing when the process dies, and gets the event after the restart."""
    assert collector("open", START, kill_before_send=True)
    assert not receiving.requests

    assert not collector("open", START + timedelta(seconds=1))

    assert events(receiving.requests) == ["alert.firing"]


def test_killed_after_the_send_the_repeat_carries_the_same_webhook_id(
    collector, receiving, state_url, tmp_path
):
    """A receiver that got it and could not answer gets it again and can tell; the broken attempt is on record."""
    pid_file = tmp_path / "pid"
    receiving.before_answer = lambda: os.kill(int(pid_file.read_text()), signal.SIGKILL)
    assert collector("open", START, pid_file=str(pid_file))

    receiving.before_answer = lambda: None
    assert not collector("open", START + timedelta(seconds=1))

    first, second = receiving.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    state = State(state_url)
    with state.read() as tx:
        made = tx.execute(select(attempts).order_by(attempts.c.number)).all()
    state.close()
    assert [(row.number, row.status, row.elapsed_ms is None) for row in made] == [
        (1, None, True),
        (2, 204, False),
    ]


ASKING = """\
groups:
  - name: own
    interval: 1s
    query_offset: 0s
    rules:
      - {alert: Full, fuseboard: journal above 0.5, for: 30s, keep_firing_for: 20s}
"""


def test_killed_at_any_point_no_clock_of_a_rule_begins_anew(collector, receiving, rule_file):
    """Pending, firing, kept and resolved at the times they would have been without a kill, each told once."""
    rule_file.write_text(ASKING)
    point, killed = 0, True
    while killed:
        point += 1
        at, killed = START + timedelta(minutes=10 * point), False
        # full at 0 and 30 s, no longer at 60 s; each time killed at a point, and again as a restart would
        for seconds, journal in ((0, 0.9), (30, 0.9), (60, 0.1), (80, 0.1)):
            for later, kill_at in ((0, point), (0.5, None)):
                now = at + timedelta(seconds=seconds + later)
                killed |= collector("closed", now, journal=journal, kill_at=kill_at)

        told = [json.loads(request.body) for request in receiving.requests]
        unique = list(
            {
                request.headers["webhook-id"]: body
                for request, body in zip(receiving.requests, told, strict=True)
            }.values()
        )
        firing, resolved = unique[-2:]
        assert [body["type"] for body in unique] == ["alert.firing", "alert.resolved"] * point
        # a group's times are a second apart: what was killed is evaluated for the next one at the latest
        assert 30 <= _seconds(firing, "since", "fired_at") <= 31
        assert 49 <= _seconds(resolved, "fired_at", "resolved_at") <= 51
    assert point > 12


def _seconds(body, start, end) -> float:
    first, last = (datetime.fromisoformat(body["data"][name][:26] + "+00:00") for name in (start, end))
    return (last - first).total_seconds()
