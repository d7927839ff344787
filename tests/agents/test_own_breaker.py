"""The agent's own breakers, and what of them is told."""

import json
import random
import threading

import pytest

from agents.block import Block, Position, Stream
from agents.errors import NoRoom
from agents.intake import Intake
from agents.ledger import Ledger
from agents.own_breaker import Change, OwnBreaker
from agents.own_transitions import PENDING, OwnTransitions
from agents.settings import load
from agents.sources import Origin
from agents.spool import Spool


def opened(failures=3, open_s=5.0):
    """A breaker that has just opened at 100."""
    breaker = OwnBreaker(failures, open_s)
    changes = [change for _ in range(failures) for change in breaker.failed(100.0, 0.0, trial=False)]
    return breaker, changes


def test_it_opens_after_failures_in_a_row():
    """An answer in between begins the count anew."""
    breaker = OwnBreaker(3, 5.0)
    for _ in range(2):
        assert breaker.failed(1.0, 0.0, trial=False) == []
    breaker.answered(1.0, trial=False)

    assert [breaker.failed(2.0, 0.0, trial=False) for _ in range(3)] == [
        [],
        [],
        [Change("closed", "open", 2.0)],
    ]
    assert breaker.wait_s(2.0) == 5.0


def test_one_request_tries():
    """Half open, the others wait; an answer closes it, and only then is the trial told."""
    breaker, _ = opened()

    assert breaker.begin(105.0)
    assert breaker.state == "half_open"
    assert breaker.wait_s(105.0) == float("inf")
    assert breaker.answered(106.0, trial=True) == [
        Change("open", "half_open", 105.0),
        Change("half_open", "closed", 106.0),
    ]
    assert breaker.wait_s(106.0) == 0


def test_a_trial_that_fails_is_no_news():
    """It stays open, longer by the jitter, and says nothing."""
    breaker, _ = opened()
    breaker.begin(105.0)

    assert breaker.failed(106.0, 2.0, trial=True) == []
    assert breaker.wait_s(106.0) == 7.0


def test_late_answers_of_earlier_requests_change_nothing():
    """A request that was on its way when it opened neither closes it nor prolongs it."""
    breaker, _ = opened()
    breaker.failed(101.0, 9.0, trial=False)
    breaker.answered(101.0, trial=False)

    assert (breaker.state, breaker.wait_s(101.0)) == ("open", 4.0)


BREAKER = "[breaker]\nfailures = 2\nopen_s = 0.3\n"
AWAY = (503, {"Retry-After": "0"})


def told(collector):
    """Every transition that a collector has taken, in order."""
    return [transition for request in collector.of("/v1/breakers") for transition in json.loads(request.body)]


def changes(collector, target):
    """(from, to) of one collector's breaker."""
    return [(it["from"], it["to"]) for it in told(collector) if it["target"] == target]


WHOLE = [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]


def test_an_outage_is_told_when_it_is_over(tmp_path, collector, agent, wait_for, follow_toml):
    """The one collector hears of its outage in one block that ends with closed: nobody is woken by what is over."""
    (tmp_path / "app.log").write_bytes(b"x\n")
    seen = []

    def script(path, _number):
        if path == "/v1/lines":
            seen.append(path)
        return AWAY if len(seen) <= 4 and path == "/v1/lines" else None

    collector.script = script
    agent.start('name = "sidecar-1"\n' + follow_toml(collector.url, tmp_path / "app.log", BREAKER))
    wait_for(lambda: bool(told(collector)), "the transitions")
    assert agent.terminate() == 0

    assert len(collector.of("/v1/breakers")) == 1
    assert changes(collector, collector.url) == WHOLE
    opening = told(collector)[0]
    assert (opening["service"], opening["breaker"], opening["instance"]) == (
        "checkout",
        "fuseboard-collector",
        "sidecar-1",
    )
    assert opening["calls"] == 2
    assert [it["at"] for it in told(collector)] == sorted(it["at"] for it in told(collector))


def test_another_collector_hears_of_it_at_once(
    tmp_path, collector, second_collector, agent, wait_for, follow_toml
):
    """The second is told that the first is away; after a kill the same breaker is taken up, and closed when it works."""
    log = tmp_path / "app.log"
    log.write_bytes(b"x\n")
    collector.script = lambda _path, _number: "cut"
    both = follow_toml("FIRST", log, BREAKER).replace(
        '"FIRST"', f'["{collector.url}", "{second_collector.url}"]'
    )
    agent.start(both)
    with log.open("ab") as file:
        file.write(b"y\n")
    wait_for(lambda: changes(second_collector, collector.url) == WHOLE[:1], "the opening at the second")
    agent.kill()
    collector.script = lambda _path, _number: None
    agent.start()
    with log.open("ab") as file:
        file.write(b"z\n")

    wait_for(lambda: changes(collector, collector.url) == WHOLE[1:], "the closing at the first")
    wait_for(lambda: len(collector.lines() + second_collector.lines()) >= 3, "the last line")

    assert sorted(collector.lines() + second_collector.lines()) == [b"x", b"y", b"z"]


def test_a_collector_taken_away_is_not_open_for_ever(
    tmp_path, collector, second_collector, agent, wait_for, follow_toml
):
    """Its breaker is told closed, because nothing is behind it any more."""
    log = tmp_path / "app.log"
    log.write_bytes(b"x\n")
    collector.script = lambda _path, _number: AWAY
    alone = follow_toml(second_collector.url, log, BREAKER)
    agent.start(alone.replace(f'"{second_collector.url}"', f'["{collector.url}", "{second_collector.url}"]'))
    wait_for(lambda: bool(agent.happened("agent_started")), "the start")
    agent.kill()
    (agent.data / "breakers.json").write_text(json.dumps({collector.url: "open"}))
    agent.start(alone)
    with log.open("ab") as file:
        file.write(b"last\n")

    wait_for(lambda: ("open", "closed") in changes(second_collector, collector.url), "the closing")


@pytest.fixture
def transitions(tmp_path):
    """What ships transitions, over a real spool of 64 KiB, and that spool."""
    ledger = Ledger(tmp_path / "checkpoint.json")
    spool = Spool(tmp_path / "spool", ledger, 1 << 16, "block")
    settings = load(None, {"FUSEBOARD_AGENT_COLLECTOR": "http://a"})
    origin = Origin(ledger.agent, settings.resource)
    path = tmp_path / "breakers.json"
    yield OwnTransitions(settings, origin, Intake(spool, threading.Event()), ledger, path), spool
    spool.close()


def test_a_transition_without_room_is_dropped_and_counted(transitions):
    """A full spool holds nobody up: what could not be told is counted, and the next change tells the state again."""
    own, spool = transitions
    position = Position("g", 0, 1)
    full = Block(Stream("s", "", "logs", "n"), "/v1/lines", "k", position, random.Random(1).randbytes(70_000))
    with pytest.raises(NoRoom):
        _append_for_ever(spool, full)
    own.changed("http://a", Change("closed", "open", 1.0))
    own.ship()
    own.ship()

    assert own.dropped == 1


def test_transitions_that_nobody_hears_are_bounded(transitions):
    """The oldest go, counted."""
    own, _ = transitions
    for _ in range(PENDING + 3):
        own.changed("http://a", Change("closed", "open", 1.0))

    assert own.dropped == 3


def _append_for_ever(spool: Spool, block: Block) -> None:
    while True:
        spool.append(block)
