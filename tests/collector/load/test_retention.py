"""Rules of retention: which apply to a signal, and that a segment keeps those it was sealed with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from collector.journal.segment import SealedSegment
from collector.load.retention import Kept, Retention, Rule
from collector.store.client import Store
from tests.collector.load.yard import LINES, Yard, notes

RULES = (
    Rule(90, "traces"),
    Rule(7, "logs", env="dev"),
    Rule(3, service="chatty"),
    Rule(14, "logs", service="chatty"),
    Rule(14, "logs"),
    Rule(3, "logs", service="never reached"),
)


@pytest.mark.parametrize(
    ("signal", "kept"),
    [
        ("logs", [("", "dev", 7), ("chatty", "", 3), ("", "", 14)]),
        ("traces", [("", "", 90)]),
        ("metrics", [("chatty", "", 3), ("", "", 30)]),
    ],
)
def test_a_signal_has_the_rules_that_may_fit_it(signal: str, kept: Kept) -> None:
    """In their order; the last fits all, and what stands behind it is left out."""
    assert Retention(30, RULES).of(signal) == kept


def test_a_segment_is_loaded_with_the_rules_it_was_sealed_with(tmp_path: Path, store: Store) -> None:
    """Rules that change in between, and a restart, change nothing of it; quotes in a name are only a name."""
    name = 'it\'s \\ "odd"'
    before = Yard(tmp_path, store, LINES, retention=Retention(30, (Rule(7, service=name),)))
    body = json.dumps({"service": name, "msg": "x"}).encode()
    sealed = before.seal("e-1", [body])
    after = Yard(tmp_path, store, LINES, retention=Retention(14))

    after.load(sealed)
    after.load(after.seal("e-2", [body]))

    rows = store.query("SELECT batch_id, retention_days AS days FROM logs ORDER BY batch_id LIMIT 10").rows
    books = store.query("SELECT retention_days AS days FROM batches ORDER BY batch_id LIMIT 10").rows
    assert rows == [{"batch_id": "e-1-0", "days": 7}, {"batch_id": "e-2-0", "days": 14}]
    assert [row["days"] for row in books] == [30, 14]
    assert SealedSegment(sealed.folder, sealed.name).frozen["kept"] == [[name, "", 7], ["", "", 30]]


def test_segments_sealed_before_there_were_rules_are_loaded(tmp_path: Path, store: Store) -> None:
    """Their sidecar has a number of days only, and their archived mapping asks for no more."""
    sql = (
        "INSERT INTO notes (batch_id, note)\n"
        "SELECT batch_id, concat(body, ' ', toString({retention_days:UInt16})) AS note FROM segment('body String')"
    )
    yard = Yard(tmp_path, store, notes(sql=sql))
    frozen = yard.loader.frozen
    yard.loader.frozen = lambda group: {key: value for key, value in frozen(group).items() if key != "kept"}  # type: ignore[method-assign]
    old = yard.seal("e-1", [b"kept"])
    yard.loader.frozen = frozen  # type: ignore[method-assign]

    yard.load(old)

    assert "kept" not in old.frozen
    assert store.query("SELECT note FROM notes LIMIT 10").rows == [{"note": "kept 30"}]
