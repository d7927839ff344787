"""Keys and people that collectors share through PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from collector.access import Access
from collector.access.keys import Wanted
from collector.access.passwords import Passwords
from collector.errors import Conflict
from collector.receive.authenticate import Key, Keys, digest_of
from collector.state import State
from tests.collector.access.conftest import ELSEWHERE_S, PASSWORD
from tests.conftest import eventually
from tests.postgres import MISSING, Postgres, postgres

pytestmark = pytest.mark.skipif(MISSING, reason="PostgreSQL is not installed")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """One for the module."""
    with postgres() as running:
        yield running


@pytest.fixture
def pair(server: Postgres) -> Iterator[list[Access]]:
    """Two collectors on it."""
    states = [State(server.url) for _ in range(2)]
    made = [Access(state, (), passwords=Passwords(log2_n=10)) for state in states]
    for access in made:
        access.start()
    yield made
    for access in made:
        access.stop()
    for state in states:
        state.close()


def test_what_one_collector_is_told_the_other_knows_within_a_second(pair: list[Access]) -> None:
    """A key made, rotated and revoked; a person added, signed in and disabled."""
    first, second = pair
    made = first.keys.make(Wanted("cart", "ingest", ("cart",)), "ana")
    digest = digest_of(made["secret"])
    eventually(lambda: second.roster.find(digest), ELSEWHERE_S, 0.02)
    rotated = second.keys.rotate(made["id"], 0)
    eventually(lambda: first.roster.find(digest) is None, ELSEWHERE_S, 0.02)
    assert first.roster.find(digest_of(rotated["secret"])) is not None
    first.people.add("root", "admin", PASSWORD, "")
    token = digest_of(first.sessions.sign_in("root", PASSWORD).token)
    eventually(lambda: second.roster.find(token), ELSEWHERE_S, 0.02)
    with pytest.raises(Conflict):
        second.people.change("root", None, True, None)  # noqa: FBT003 - disabled
    second.keys.revoke(made["id"])

    eventually(lambda: first.roster.find(digest_of(rotated["secret"])) is None, ELSEWHERE_S, 0.02)
    assert first.roster.has_people


def test_while_the_server_is_away_what_was_known_goes_on(pair: list[Access], server: Postgres) -> None:
    """Keys hold, those who bring them are not told that they are wrong; afterwards changes are seen again."""
    first, _ = pair
    made = first.keys.make(Wanted("steady", "ingest"), "")
    keys = Keys([Key("a", "admin", "admin")], first.roster)
    headers: Any = {b"authorization": f"Bearer {made['secret']}".encode()}
    server.kill()
    try:
        assert keys.authenticate(headers, "write").name == "steady"
    finally:
        server.start()

    eventually(lambda: first.keys.revoke(made["id"]) is None, ELSEWHERE_S)
    assert first.roster.find(digest_of(made["secret"])) is None
