"""The state in PostgreSQL: the same promises as in a file, to several collectors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from collector.errors import Malformed, Unavailable
from collector.state import State, lease
from collector.state.migrate import migrations
from collector.state.tables import canaries, leases
from tests.postgres import MISSING, Postgres, postgres

pytestmark = pytest.mark.skipif(MISSING, reason="PostgreSQL is not installed")
T0 = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """One for the module."""
    with postgres() as running:
        yield running


@pytest.fixture
def states(server: Postgres) -> Iterator[list[State]]:
    """Three collectors' views of it, all started at once, nothing in it."""
    opened: list[State] = []
    at_once([lambda: opened.append(State(server.url))] * 3)
    with opened[0].write() as tx:
        tx.execute(leases.delete())
        tx.execute(canaries.delete())
    yield opened
    for state in opened:
        state.close()


def at_once(works: list[Callable[[], None]]) -> None:
    """Run all in threads; the first error is raised."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_starts_at_once_make_one_schema(states: list[State]) -> None:
    """Three programs meet an empty database: each finds it whole."""
    assert [state.version for state in states] == [migrations()[-1].version] * 3


def test_one_of_many_gets_a_lease_that_nobody_had(states: list[State]) -> None:
    """All ask in the same moment: one has it, no other meets an error; it is free again after its time."""
    held: list[str] = []

    def ask(state: State, holder: str) -> None:
        with state.write() as tx:
            if lease.hold(tx, "alerting", holder, T0, 15):
                held.append(holder)

    at_once([lambda s=state, n=number: ask(s, f"c{n}") for number, state in enumerate(states * 3)])
    (first,) = held
    with states[0].write() as tx:
        early = lease.hold(tx, "alerting", "late", T0 + timedelta(seconds=14), 15)
        late = lease.hold(tx, "alerting", "late", T0 + timedelta(seconds=16), 15)

    assert first.startswith("c")
    assert (early, late) == (False, True)


def test_what_a_writer_read_is_still_true_when_it_writes(states: list[State]) -> None:
    """Read, add one, write: from three collectors at a time no addition is lost."""
    with states[0].write() as tx:
        tx.execute(insert(canaries).values(holder="h", instance="i", number=0, sent_at=T0))

    def add(state: State) -> None:
        for _ in range(20):
            with state.write() as tx:
                number = tx.execute(select(canaries.c.number)).scalar_one()
                tx.execute(update(canaries).values(number=number + 1))

    at_once([lambda s=state: add(s) for state in states])
    with states[0].read() as tx:
        assert tx.execute(select(canaries.c.number)).scalar_one() == 60


def test_a_server_that_crashed_is_used_again(server: Postgres, states: list[State]) -> None:
    """While it is away: `Unavailable`; once it is back, no connection of before is in the way and what was committed is there."""
    with states[0].write() as tx:
        lease.hold(tx, "alerting", "kept", T0, 15)
    server.kill()
    try:
        with pytest.raises(Unavailable), states[0].read() as tx:
            tx.execute(select(leases.c.holder))
    finally:
        server.start()

    with states[0].read() as tx:
        assert tx.execute(select(leases.c.holder)).scalar_one() == "kept"


def test_a_server_that_is_away_at_the_start_is_used_once_it_is_there(server: Postgres) -> None:
    """Until then each transaction is `Unavailable` and says why; the first that reaches it applies the schema."""
    server.kill()
    try:
        state = State(server.url)
        with pytest.raises(Unavailable, match="refused"), state.write() as tx:
            tx.execute(select(leases.c.holder))
        away, version = state.trouble, state.version
    finally:
        server.start()

    with state.read() as tx:
        tx.execute(select(leases.c.holder)).all()
    assert away
    assert "refused" in away
    assert (version, state.trouble) == (0, None)
    assert state.version > 0
    state.close()


def test_a_wrong_url_is_named() -> None:
    """Refused with what to write, without what was written."""
    with pytest.raises(Malformed) as refused:
        State("postgresql://user:secret@host:port/d")

    assert refused.value.code == "bad_state_url"
    assert "secret" not in refused.value.message
