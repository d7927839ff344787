"""
The faults: what is started here is killed, cut off, starved or fed poison, and what is stored is compared as sets.

``producer``, ``flood`` and ``caller`` write and remember; ``poison`` is hostile input; ``victims`` are killed; ``proxy`` is the
bad network; ``judge`` compares. ``make test`` runs the short forms; ``make soak`` (``FUSEBOARD_TEST_SOAK=1``) the long ones
(``pace``), with those that have no short form (marker ``soak``), and prints what was counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Served, eventually
from tests.system.faults.pace import DRAIN_S, SOAKING
from tests.system.faults.proxy import Proxy
from tests.system.faults.victims import Agent, pipeline_is_empty

SCAN_S = 1.5
"""A file that was begun by the last rotation is found, and counted as lag, within a second."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has a long form only, unless it is asked for."""
    if SOAKING:
        return
    long = [item for item in items if item.get_closest_marker("soak")]
    items[:] = [item for item in items if item not in long]
    config.hook.pytest_deselected(items=long)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figures of the tests that have some."""
    for report in [
        report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])
    ]:
        for name, value in getattr(report, "user_properties", []):
            if name == "figures":
                terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {value}")


@pytest.fixture
def make_agent(tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    """Make agents: ``make_agent(collectors, files, …)``; all are ended afterwards."""
    made: list[Agent] = []

    def make(*arguments: Any, **named: Any) -> Agent:
        made.append(Agent(tmp_path / f"agent-{len(made)}", *arguments, **named))
        return made[-1]

    yield make
    for agent in made:
        agent.close()


@pytest.fixture
def make_proxy() -> Iterator[Callable[..., Proxy]]:
    """Make proxies: ``make_proxy(served.port)``; all are closed afterwards."""
    made: list[Proxy] = []

    def make(*arguments: Any) -> Proxy:
        made.append(Proxy(*arguments))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


@pytest.fixture
def drain() -> Callable[..., None]:
    """``drain(agent)``: return when what is written is acknowledged and the agent has ended by itself."""

    def wait(agent: Agent, within_s: float = DRAIN_S) -> None:
        eventually(agent.is_up)
        since = time.monotonic()

        def stays_drained() -> bool:
            nonlocal since
            since = since if agent.is_drained() else time.monotonic()
            return time.monotonic() - since > SCAN_S

        eventually(stays_drained, within_s)
        assert agent.stop() == 0
        assert agent.quarantined() == []

    return wait


@pytest.fixture
def shut() -> Callable[..., None]:
    """``shut(*collectors)``: return when all they acknowledged is loaded and they have ended by themselves."""

    def wait(*collectors: Served, within_s: float = DRAIN_S) -> None:
        for served in collectors:
            served.wait_ready()
            eventually(lambda served=served: pipeline_is_empty(served), within_s)
            assert served.stop() == 0

    return wait
