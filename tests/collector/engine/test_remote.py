"""The watch over a server that is not ours: who gets its address, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.engine.remote import Server
from collector.errors import StoreUnavailable
from collector.store.client import Store
from collector.store.target import Target
from tests.collector.real_engine import engine_at


def test_nobody_gets_the_server_before_its_schema(tmp_path: Path, poll) -> None:
    """While the schema is applied, and when that failed, the address stays with the watch; once done, everybody has it."""
    with engine_at(tmp_path / "db") as engine:
        server = Server(Target(engine.target().url, shared_disk=False), 5)
        refusals: list[str] = []

        def applied(reached: Target) -> None:
            with pytest.raises(StoreUnavailable) as refused:
                server.target()
            refusals.append(refused.value.message)
            if len(refusals) == 1:
                raise ValueError("schema file 001 was changed")
            Store(lambda: reached).ping()

        server.on_up = applied
        server.start()
        poll(lambda: server.state.state == "up")
        reached = server.target()
        server.stop()

    assert reached.shared_disk is False
    assert "starting" in refusals[0]
    assert "schema file 001 was changed" in refusals[1]
    assert server.state.restarts == 0


def test_a_wrong_password_is_told_and_not_shown(tmp_path: Path, poll) -> None:
    """Refused by the server: down, with its own words, without the secret."""
    with engine_at(tmp_path / "db") as engine:
        url = engine.target().url.replace("default:", "default:wrong-", 1)
        server = Server(Target(url, shared_disk=False), 5)
        server.start()
        poll(lambda: server.state.state == "down")
        state = server.state
        server.stop()

    assert "Authentication failed" in str(state.last_error)
    assert "wrong-" not in str(state)
    with pytest.raises(StoreUnavailable, match="the ClickHouse server is down since"):
        server.target()
