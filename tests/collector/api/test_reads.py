"""What an answer waits for of the records that gather for a reader."""

from __future__ import annotations

from typing import Any

import pytest

from collector.api import ApiParts, build_api
from collector.api.reads import signals_of
from collector.formats.registry import groups_of

# Of any signal, or of the quarantine of any: everything is waited for.
ANY = {"sql", "ledger", "agents", "volume", "cardinality", "quarantine"}


class Nobody:
    """A part that no test here asks."""


def test_every_path_of_the_api_says_what_it_reads() -> None:
    """A new resource is thought of: what is not named here waits for everything."""
    nobody: Any = Nobody()
    paths = build_api(ApiParts(nobody, nobody, nobody, nobody)).openapi()["paths"]

    waiting = {path.split("/")[2] for path in paths if signals_of(f"/api{path}") is None}

    assert waiting == ANY


@pytest.mark.parametrize(
    ("path", "signals"),
    [
        ("/api/v1/session", ()),
        ("/api/openapi.json", ()),
        ("/api/v1/logs/histogram", ("logs",)),
        ("/api/v1/services/checkout", ("logs", "traces", "breakers")),
        ("/api/v1/courses/services", ("traces",)),
        ("/api/v1/gateway", ("logs", "traces")),  # a proxy's access log tells of its clients, too
        ("/api/v1/breakers/transitions", ("breakers",)),
        ("/api/v1/sql", None),
        ("/clickhouse/", None),
    ],
)
def test_a_path_waits_for_what_it_is_made_of(path: str, signals: tuple[str, ...] | None) -> None:
    """What is kept in memory or state for nothing, a statement of SQL for everything."""
    assert signals_of(path) == signals


def test_every_signal_named_has_a_way_in() -> None:
    """A name that no format has would be waited for by nobody."""
    named = {
        signal
        for name in ("logs", "traces", "hot", "endpoints", "breakers")
        for signal in signals_of(f"/api/v1/{name}") or ()
    }

    assert all(groups_of((signal,)) for signal in named)
