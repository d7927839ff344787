"""The agent's disk is full, read-only or failing: nothing is lost, nothing is acknowledged that is not kept, and it goes on."""

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.errors import SpoolUnavailable
from agents.intake import Intake
from agents.keeper import Keeper
from tests.agents.blocks import FILE, block, killed, opened, put, shipped
from tests.small_disk import Refusing, SmallDisk, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Two megabytes."""
    with small_disk(tmp_path / "disk", "2m") as made:
        yield made


def test_a_full_disk_is_waited_for(disk):
    """With ``block`` the source waits; what is spooled ships meanwhile, and goes on when there is space."""
    spool, ledger = opened(disk.path)
    put(spool, *range(10), size=50_000)
    disk.fill()
    with pytest.raises(SpoolUnavailable, match="space"):
        spool.append(block(10, 50_000))
    while_full = shipped(spool, ledger)
    disk.empty()
    put(spool, 10, size=50_000)

    assert while_full == [f"key-{number}" for number in range(10)]
    assert shipped(spool, ledger) == ["key-10"]
    killed(spool)


def test_a_full_disk_is_emptied_by_shipping(disk):
    """Checkpoints need no new space, so what has been shipped is deleted on a disk without a free byte."""
    spool, ledger = opened(disk.path, 1 << 22)
    put(spool, *range(20), size=50_000)
    disk.fill()
    shipped(spool, ledger, 15)
    before = spool.used_bytes()

    Keeper(ledger, spool).keep()
    put(spool, 20, size=50_000)

    assert spool.used_bytes() < before
    assert shipped(spool, ledger) == [f"key-{number}" for number in range(15, 21)]
    killed(spool)


def test_a_source_that_waits_goes_on_by_itself(disk):
    """The intake offers the same block again until there is space; it is shipped once."""
    spool, ledger = opened(disk.path)
    put(spool, 0)
    disk.fill()
    intake = Intake(spool, threading.Event())
    waiting = threading.Thread(target=lambda: (intake.offer(block(1, 50_000)), intake.commit()))
    waiting.start()
    while not intake.stalls:
        waiting.join(0.01)
    disk.empty()
    waiting.join(60)

    assert not waiting.is_alive()
    assert shipped(spool, ledger) == ["key-0", "key-1"]
    killed(spool)


@pytest.mark.parametrize("when_full", ["drop_newest", "drop_oldest"])
def test_a_disk_smaller_than_its_bound_sheds_by_the_policy(disk, when_full):
    """No space, and a policy that does not wait: shed lines are counted exactly, also over a kill, and nobody waits."""
    spool, ledger = opened(disk.path, 1 << 24, when_full)
    for number in range(60):
        put(spool, number, size=100_000)
    killed(spool)
    again, books = opened(disk.path, 1 << 24, when_full)

    keys = shipped(again, books)
    counters = books.counters().counters[FILE]
    assert keys[0 if when_full == "drop_newest" else -1] == (
        "key-0" if when_full == "drop_newest" else "key-59"
    )
    assert counters.read_blocks == 60
    assert counters.dropped["spool_full"][0] == 60 - len(keys) > 0
    assert counters.spooled() == (0, 0)
    assert ledger.agent == books.agent
    killed(again)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO], ids=["read-only", "io"])
def test_a_disk_that_cannot_be_written_is_waited_for(tmp_path, monkeypatch, number):
    """Blocks on disk ship, the books wait to be saved, nothing new is taken; then all goes on and each block came once."""
    spool, ledger = opened(tmp_path)
    put(spool, 0, 1)
    layer = Refusing(monkeypatch)
    layer.fail(number)
    keeper = Keeper(ledger, spool)
    with pytest.raises(SpoolUnavailable):
        spool.append(block(2))
    keys = shipped(spool, ledger)
    keeper.keep()
    layer.work()
    put(spool, 2)
    keeper.keep()
    keys += shipped(spool, ledger)
    killed(spool)

    again, books = opened(tmp_path)
    assert keys == ["key-0", "key-1", "key-2"]
    assert shipped(again, books) == ["key-2"]  # acknowledged after the last save: sent again under its key
    assert books.counters().counters[FILE].spooled() == (0, 0)
    killed(again)


def test_what_an_fsync_refused_is_written_again(tmp_path, monkeypatch):
    """After EIO the same file is not trusted: its frames go into a new one, are seen once, and survive a restart once."""
    spool, ledger = opened(tmp_path)
    put(spool, 0)
    first = set((tmp_path / "spool").iterdir())
    spool.append(block(1))
    layer = Refusing(monkeypatch)
    layer.fail(errno.EIO, "fdatasync")
    with pytest.raises(SpoolUnavailable):
        spool.sync()
    unseen = [key for key in shipped(spool, ledger) if key != "key-0"]
    layer.work()
    put(spool, 2)
    files = set((tmp_path / "spool").iterdir())
    killed(spool)

    again, books = opened(tmp_path)
    assert unseen == []
    assert first < files
    assert spool.rewrites == 1
    assert shipped(again, books) == ["key-0", "key-1", "key-2"]
    assert books.counters().counters[FILE].read_blocks == 3
    killed(again)


def test_a_tail_that_an_fsync_refused_is_void(tmp_path, monkeypatch):
    """Also where the old file cannot be cut: what was written again counts, whatever the old bytes say."""
    spool, _ = opened(tmp_path)
    put(spool, 0)
    spool.append(block(1))
    spool.append(block(2))
    before = {path: path.read_bytes() for path in (tmp_path / "spool").iterdir()}
    layer = Refusing(monkeypatch)
    layer.fail(errno.EIO, "fdatasync")
    with pytest.raises(SpoolUnavailable):
        spool.sync()
    layer.work()
    put(spool, 3)
    killed(spool)
    for path, data in before.items():  # the tail is back, its middle is not
        path.write_bytes(data[:1500] + b"\0" * 700 + data[2200:])

    again, books = opened(tmp_path)
    assert shipped(again, books) == ["key-0", "key-1", "key-2", "key-3"]
    assert books.counters().counters[FILE].dropped == {}
    killed(again)


def test_unsynced_blocks_are_bounded_in_memory(tmp_path):
    """What is kept to be written again is made durable once it is some megabytes, though nobody has asked for a sync."""
    spool, ledger = opened(tmp_path)
    for number in range(9):
        spool.append(block(number, 1 << 20))

    assert len(shipped(spool, ledger)) >= 4
    assert spool._unsynced_bytes < 6 << 20
    spool.close()
