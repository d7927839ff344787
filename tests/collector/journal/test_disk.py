"""The journal on a disk that is full, read-only or failing: refused, nothing acknowledged is lost, back by itself."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.errors import JournalError, JournalFull
from collector.journal.identities import Identities
from collector.journal.segment import SealedSegment
from tests.collector.journal.batches import UNAGED, Kept, batch, info
from tests.small_disk import Refusing, SmallDisk, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Four megabytes."""
    with small_disk(tmp_path / "disk", "4m") as made:
        yield made


def _on(disk: SmallDisk) -> Kept:
    journal = Kept(disk.path / "journal", reserve_bytes=1 << 18)
    journal.start()
    return journal


def test_a_full_disk_refuses_seals_and_comes_back(disk: SmallDisk, poll) -> None:
    """429 while the disk is full, what was acknowledged is sealed all the same, and business as usual seconds after space returns."""
    journal = _on(disk)
    journal.submit(batch("before", b"x" * 5000)).result(20)
    disk.fill()

    error = journal.submit(batch("refused", b"y" * 100, resource={"pad": "p" * 100_000})).exception(20)
    with pytest.raises(JournalFull) as refused:
        journal.room()
    poll(lambda: journal.sealed, within_s=60)
    segment = journal.sealed[0]
    segment.mark_done("logs")
    journal.finished(segment)
    disk.empty()
    poll(lambda: _has_room(journal), within_s=60)
    after = journal.submit(batch("after")).result(20)
    journal.end()

    assert isinstance(error, JournalFull)
    assert (refused.value.status, refused.value.code) == (429, "journal_full")
    assert journal.batch_ids() == ["before", "after"]
    assert not after.duplicate
    assert journal.trouble is None


def _has_room(journal: Kept) -> bool:
    try:
        journal.room()
    except JournalFull:
        return False
    return journal.trouble is None


def test_a_start_on_a_full_disk_recovers(disk: SmallDisk) -> None:
    """What a killed collector left is sealed with the reserve's space."""
    journal = _on(disk)
    journal.submit(batch("before", b"x" * 5000)).result(20)
    disk.fill()
    journal._segments.seal_all = lambda: None  # a kill
    journal.seal()
    journal.stop()

    again = Kept(disk.path / "journal", reserve_bytes=1 << 18)
    again.start()
    found = again.batch_ids()
    again.end()

    assert found == ["before"]


def test_a_read_only_disk_refuses_and_comes_back(tmp_path: Path, monkeypatch, poll) -> None:
    """503 while nothing can be written; the writer lives, and the acknowledged records are sealed once it can."""
    disk = Refusing(monkeypatch)
    journal = Kept(tmp_path)
    journal.start()
    journal.submit(batch("before")).result(20)
    disk.fail(errno.EROFS)
    errors = [journal.submit(batch(f"refused-{n}")).exception(20) for n in range(3)]
    poll(lambda: disk.refused > 5, within_s=60)
    disk.work()

    poll(lambda: journal.trouble is None, within_s=60)
    journal.submit(batch("after")).result(20)
    journal.end()

    assert all(isinstance(error, JournalError) and error.status == 503 for error in errors)
    assert sorted(journal.batch_ids()) == ["after", "before"]


def test_a_failed_fsync_is_written_again_elsewhere(tmp_path: Path, monkeypatch) -> None:
    """One EIO: the batch goes into a new segment and is acknowledged from there; the old one keeps what was durable, once."""
    disk = Refusing(monkeypatch)
    journal = Kept(tmp_path, seal_ages_s=UNAGED)
    journal.start()
    journal.submit(batch("before")).result(20)
    first = journal._segments._open["lines"][0].name
    real = journal._segments._begin
    disk.fail(errno.EIO, "fdatasync")
    journal._segments._begin = lambda folder: (disk.work(), real(folder))[1]

    answer = journal.submit(batch("torn", identity="key")).result(20)
    journal.end()

    assert disk.refused == 1
    assert not answer.duplicate
    assert [(it.name == first, [r.batch.batch_id for r in it.side.records]) for it in journal.sealed] == [
        (True, ["before"]),
        (False, ["torn"]),
    ]
    assert all(it.path.stat().st_size == it.bytes for it in journal.sealed)
    assert SealedSegment(tmp_path / "lines", first).side.seal is not None


def test_a_disk_whose_fsync_fails_acknowledges_nothing(tmp_path: Path, monkeypatch) -> None:
    """EIO again and again: refused, and a restart does not find what was refused."""
    disk = Refusing(monkeypatch)
    journal = Kept(tmp_path, seal_ages_s=UNAGED)
    journal.start()
    journal.submit(batch("before")).result(20)
    disk.fail(errno.EIO, "fdatasync", "fsync")
    error = journal.submit(batch("refused")).exception(20)
    disk.work()
    journal.end()

    again = Kept(tmp_path)
    again.start()
    again.end()

    assert isinstance(error, JournalError)
    assert again.batch_ids() == ["before"]


def test_a_mark_that_cannot_be_written_whole_hides_nothing(tmp_path: Path, monkeypatch) -> None:
    """Half a line is cut off, so that the marks after it are read."""
    journal = Kept(tmp_path)
    journal.start()
    journal.submit(batch("b1")).result(20)
    journal.end()
    segment = journal.sealed[0]
    disk = Refusing(monkeypatch)
    disk.fail(errno.ENOSPC, "fdatasync")
    with pytest.raises(JournalFull):
        segment.mark_done("logs")
    disk.work()
    segment.mark_done("log_minutes")

    assert SealedSegment(segment.folder, segment.name).side.done == {"log_minutes"}


def test_the_identity_log_on_a_full_disk_is_tried_again(disk: SmallDisk) -> None:
    """No space for identities: they stay remembered, nothing is half moved, and moving them succeeds later."""
    identities = Identities(disk.path / "identities.db")
    kept = [info(f"b{n}", identity=f"key-{n}", answer={"pad": "p" * 500}) for n in range(2000)]
    for one in kept:
        identities.add(one)
    disk.fill()
    for _ in range(2):
        with pytest.raises(JournalFull):
            identities.settle(kept, 0)
    remembered = identities.find("key-7", 0)
    disk.empty()
    identities.settle(kept, 0)

    rows = sqlite3.connect(disk.path / "identities.db").execute("SELECT count(*) FROM identities").fetchone()
    assert remembered == identities.find("key-7", 0)
    assert rows == (2000,)
    identities.close()


def test_a_sealed_segment_whose_seal_was_lost_is_sealed_again(tmp_path: Path) -> None:
    """Renamed, and the seal's line did not become durable: its records were acknowledged, so they are loaded."""
    journal = Kept(tmp_path)
    journal.start()
    journal.submit(batch("b1")).result(20)
    journal.end()
    side = journal.sealed[0]._side_path
    side.write_bytes(side.read_bytes().splitlines(keepends=True)[0])

    again = Kept(tmp_path)
    again.start()
    again.end()

    assert again.batch_ids() == ["b1"]
    assert again.sealed[0].frozen["retention_days"] == 30
