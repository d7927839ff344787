"""The API over a state of its own, as each role sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from collector.access import Access
from collector.access.passwords import Passwords
from collector.access.roster import changed
from collector.api import ApiParts
from collector.app.answering import authenticator
from collector.receive.authenticate import Key, Keys
from collector.state import State
from collector.state.tables import access_keys, access_people, access_sessions
from tests.collector.api.conftest import FixedAlerts, FixedPipeline, FixedSql, served

STATIC = (
    Key("r", "read", "read"),
    Key("e", "edit", "editor"),
    Key("a", "admin", "admin"),
    Key("i", "ingest"),
)
PASSWORD = "correct horse battery"
# Other collectors look every half second (`roster.EVERY_S`, asserted where keys are); whoever waits for them waits longer: a machine that stands
# still for a second has broken no promise.
ELSEWHERE_S = 30.0


@dataclass(frozen=True)
class Door:
    """One collector's API and what its ingest asks."""

    http: httpx.Client
    access: Access
    keys: Keys

    def ask(self, method: str, path: str, key: str = "admin", **options: Any) -> httpx.Response:
        """Send one request as *key*; "" = without one."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return self.http.request(method, f"/api/v1{path}", headers=headers, **options)

    def make(self, **fields: Any) -> dict[str, Any]:
        """Make a key."""
        answer = self.ask("POST", "/keys", json=fields)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()["data"][0]
        return made

    def writer(self, secret: str) -> Key:
        """Whom a writer with *secret* is taken for."""
        return self.keys.authenticate({b"authorization": f"Bearer {secret}".encode()}, "write")


def doors(folder: Path) -> Iterator[Callable[..., Door]]:
    """Start collectors' doors over one state in *folder*."""
    ends: list[Callable[[], object]] = []

    def start(static: tuple[Key, ...] = STATIC, session_h: float = 1.0) -> Door:
        state = State(f"sqlite:///{folder / 'state.db'}")
        access = Access(state, static, session_h, Passwords(log2_n=10))
        access.start()
        keys = Keys(static, access.roster)
        parts = ApiParts(
            store=None, alerts=FixedAlerts(), pipeline=FixedPipeline(), sql=FixedSql(), access=access,
            authenticate=authenticator(keys), settings=(("admin_key", "********", "A key."),),
        )  # fmt: skip
        running = served(parts)
        client = running.__enter__()
        ends.extend((state.close, access.stop, lambda: running.__exit__(None, None, None)))
        return Door(client, access, keys)

    yield start
    for end in reversed(ends):
        end()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Door]]:
    """``opened()`` starts a collector's door, or ``opened(static=())`` one that is open; all of a test share their state."""
    yield from doors(tmp_path)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One collector with keys in its settings, for a module."""
    for start in doors(tmp_path_factory.mktemp("door")):
        yield start()


@pytest.fixture
def door(standing: Door) -> Door:
    """The same, without keys and people of the API."""
    with standing.access.sessions._state.write() as tx:
        for table in (access_sessions, access_people, access_keys):
            tx.execute(table.delete())
        changed(tx)
    standing.access.sessions._attempts._wrong.clear()
    standing.access.sessions._addresses._left.clear()
    standing.access.roster.refresh()
    return standing
