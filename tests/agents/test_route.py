"""Which collector a block goes to: the promises that hold over refusals, silence and restarts."""

import errno

import pytest

from agents.block import Block, Position, Stream
from agents.frame import head_of
from agents.ledger import SENT_AHEAD, Ledger
from agents.route import Permit, Route
from agents.settings_values import BreakerSettings
from tests.small_disk import Refusing

A, B = "http://a", "http://b"
BREAKER = BreakerSettings(failures=3, open_s=600.0)


def route_of(ledger, *collectors, opened=frozenset()):
    """A route whose breakers tell nobody."""
    return Route(collectors, BREAKER, ledger, lambda _url, _change: None, opened)


@pytest.fixture
def path(tmp_path):
    """The checkpoint's place."""
    return tmp_path / "checkpoint.json"


def read_blocks(ledger, count):
    """Let the ledger count blocks 1 to *count*."""
    for sequence in range(1, count + 1):
        position = Position("g", sequence, sequence + 1)
        block = Block(Stream("s", "", "logs", "n"), "/v1/lines", f"k{sequence}", position, b"x\n")
        ledger.committed(head_of(block, sequence, 1.0))


def test_the_first_of_the_list_is_asked_first(path):
    """Nothing said, it is the first."""
    assert route_of(Ledger(path), A, B).begin(1) == Permit(A, trial=False)


def test_a_refused_block_goes_to_the_next_at_once(path):
    """And so does what comes after it."""
    route = route_of(Ledger(path), A, B)
    route.refused(route.begin(1), 1, 0.0, failed=False)

    assert [route.begin(1), route.begin(2)] == [Permit(B, trial=False)] * 2


def test_it_returns_to_the_first(path, monkeypatch):
    """Once the first has not disappointed for a while it is preferred again, though the second works."""
    monkeypatch.setattr("agents.health.AWAY_S", 0.0)
    route = route_of(Ledger(path), A, B)
    route.refused(route.begin(1), 1, 0.0, failed=False)
    permit = route.begin(1)
    while permit == Permit(B, trial=False):
        route.taken(permit, 1)
        permit = route.begin(1)  # until the back-off of at most 0.2 s is over

    assert permit == Permit(A, trial=False)


def test_a_doubtful_block_waits_for_its_collector(path):
    """It is never given to another, also when its collector then refuses it; new blocks go on elsewhere."""
    route = route_of(Ledger(path), A, B)
    route.unknown(route.begin(1), 1)
    permit = route.begin(1)
    route.refused(permit, 1, 600.0, failed=False)

    assert permit == Permit(A, trial=False)
    assert route.begin(1) > 500
    assert route.begin(2) == Permit(B, trial=False)


def test_what_is_on_its_way_is_pinned_when_the_choice_changes(path):
    """A kill right after the change finds the block where it was sent; a refusal frees it again."""
    ledger = Ledger(path)
    read_blocks(ledger, 2)
    route = route_of(ledger, A, B)
    first = route.begin(1)
    route.refused(route.begin(2), 2, 0.0, failed=False)
    route.begin(2)
    restarted = Ledger(path).route()
    route.refused(first, 1, 0.0, failed=False)

    assert restarted == (B, {1: A})
    assert route.begin(1) == Permit(B, trial=False)


def test_after_a_kill_blocks_stay_where_they_may_have_been_sent(path):
    """What had been sent to the second, answered or not, is asked for there; what never left goes to the first."""
    ledger = Ledger(path)
    read_blocks(ledger, 100)
    route = route_of(ledger, A, B)
    route.refused(route.begin(1), 1, 0.0, failed=False)
    ledger.begin_sending(1)
    for sequence in (1, 2, 3):
        route.taken(route.begin(sequence), sequence)
    ledger = Ledger(path)
    read_blocks(ledger, 100)
    route = route_of(ledger, A, B)

    assert [route.begin(sequence).url for sequence in (1, 3, 1 + SENT_AHEAD, 2 + SENT_AHEAD)] == [B, B, B, A]
    again = Ledger(path)
    read_blocks(again, 100)
    assert route_of(again, A, B).begin(3).url == B


def test_a_collector_taken_out_of_the_settings_frees_its_blocks(path):
    """Otherwise they would wait for ever; the key still tells a repeat."""
    ledger = Ledger(path)
    route = route_of(ledger, A)
    route.unknown(route.begin(1), 1)
    route.reconfigure((B,), BREAKER)

    assert route.begin(1) == Permit(B, trial=False)


def test_an_open_breaker_lets_one_try(path):
    """After failures in a row nobody asks; a breaker that was open in a former life begins with its trial."""
    ledger = Ledger(path)
    route = route_of(ledger, A)
    for _ in range(3):
        permit = Permit(A, trial=False)
        route.refused(permit, 1, 0.0, failed=True)
    reborn = route_of(ledger, A, opened=frozenset({A}))

    assert 500 < route.begin(1) <= 600
    assert reborn.begin(1) == Permit(A, trial=True)
    assert reborn.begin(2) == float("inf")
    assert [(it.url, it.state) for it in route.standings()] == [(A, "open")]


def test_a_disk_that_refuses_the_choice_changes_nothing(path, monkeypatch):
    """Without a durable choice nothing is sent elsewhere; the next attempt makes it."""
    ledger = Ledger(path)
    route = route_of(ledger, A, B)
    route.refused(route.begin(1), 1, 60.0, failed=False)
    layer = Refusing(monkeypatch)
    layer.fail(errno.ENOSPC)

    with pytest.raises(OSError, match="space"):
        route.begin(1)
    layer.work()

    assert ledger.route()[0] == A
    assert route.begin(1) == Permit(B, trial=False)
