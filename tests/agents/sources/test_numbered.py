"""Blocks that are numbered: what finds no room is counted, so that its gap is explained."""

from __future__ import annotations

import os
import threading

from agents.intake import Intake
from agents.ledger import Ledger
from agents.sources import Origin
from agents.sources.numbered import Expositions
from agents.spool import Spool


def test_a_block_that_finds_no_room_is_counted_and_its_number_is_used_up(tmp_path):
    """Read = in flight + dropped, also after the books are saved and read again; the next block has the next number."""
    ledger = Ledger(tmp_path / "checkpoint.json")
    spool = Spool(tmp_path / "spool", ledger, 1 << 16, "block")
    origin = Origin("a1", {"service.name": "checkout"})
    source = Expositions(origin, Intake(spool, threading.Event()), ledger, kind="scrape", source="scrape:u")
    large = os.urandom(60_000)

    kept = [source.ship("u", large), source.ship("u", large), source.ship("u", b"x 1\n")]

    assert kept == [True, False, True]
    ledger.save()
    [counters] = Ledger(tmp_path / "checkpoint.json").counters().counters.values()
    assert counters.dropped == {"not_kept": [1, 60_000, large.count(b"\n")]}
    assert counters.spooled() == (2, 60_004)
    assert ledger.sequence_of("scrape:u") == 3
    spool.close()
