"""Every setting says what it is."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from agents import __main__ as agent_cli
from agents.settings_tables import LISTS, TABLES, TOP
from collector.settings import (
    HeartbeatSettings,
    InhibitSettings,
    KeySettings,
    OidcSettings,
    ReceiverSettings,
    RetentionSettings,
    RouteSettings,
    Settings,
    describe,
)
from tests.contract import sources

AGENT_FIELDS = [
    (f"{table}.{field.key}" if table else field.key, field)
    for table, fields in ({"": TOP} | TABLES | LISTS).items()
    for field in fields
]


@pytest.mark.parametrize(
    "model",
    [
        Settings,
        KeySettings,
        HeartbeatSettings,
        OidcSettings,
        ReceiverSettings,
        RetentionSettings,
        RouteSettings,
        InhibitSettings,
    ],
)
def test_the_collectors_settings_have_help(model: type[BaseModel]) -> None:
    """Each field has a description of its own, a sentence that ends."""
    said = {name: field.description or "" for name, field in model.model_fields.items()}

    assert [name for name, text in said.items() if not text.endswith(".")] == []
    assert len(set(said.values())) == len(said)


def test_check_prints_every_setting_with_its_help() -> None:
    """``fuseboard check`` leaves none out."""
    printed = describe(Settings.model_validate({}))

    assert [name for name, _, _ in printed] == list(Settings.model_fields)
    assert all(text for _, _, text in printed)


def test_the_agents_settings_have_help() -> None:
    """Each key of agent.toml stands with its help in ``fuseboard-agent --help``."""
    printed = agent_cli._settings_help()

    for name, field in AGENT_FIELDS:
        assert field.help
        assert f"  {name:24} {field.help}" in printed


def test_the_agents_settings_are_documented() -> None:
    """docs/agent.md has each with its meaning, and no other."""
    rows = {sources.codes(row[0])[0]: row[2] for row in sources.table("agent.md", "Settings")}

    assert rows == {name: field.help for name, field in AGENT_FIELDS}


def test_the_settings_of_receivers_are_documented() -> None:
    """docs/receivers.md has each of a receiver and of the heartbeat, in the words of ``fuseboard check``, and no other."""
    receivers = {sources.codes(row[0])[0]: row[2] for row in sources.table("receivers.md", "Settings")}
    heartbeat = {sources.codes(row[0])[0]: row[1] for row in sources.table("receivers.md", "Heartbeat")}

    assert receivers == {name: field.description for name, field in ReceiverSettings.model_fields.items()}
    assert heartbeat == {name: field.description for name, field in HeartbeatSettings.model_fields.items()}
