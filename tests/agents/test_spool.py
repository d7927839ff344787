"""The spool: what is synced survives, damage is passed over, the bound holds."""

import os
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.block import Block, Position, Stream
from agents.errors import NoRoom, SpoolUnavailable
from agents.keeper import Keeper
from agents.ledger import Ledger
from agents.spool import Spool

STREAM = Stream("checkout", "test", "logs", "file:/a.log")


def block(number: int, body: bytes = b"a line\n") -> Block:
    """A block with a key of its own."""
    return Block(STREAM, "/v1/lines", f"key-{number}", Position("n1", number, number + 1), body, {"A": "b"})


def opened(home: Path, max_bytes: int = 1 << 30, when_full: str = "block") -> tuple[Spool, Ledger]:
    """Open a spool with its ledger."""
    ledger = Ledger(home / "checkpoint.json")
    return Spool(home / "spool", ledger, max_bytes, when_full), ledger


def claimed(spool: Spool) -> list[tuple[str, bytes]]:
    """Claim everything that waits: (key, body)."""
    found = []
    while (taken := spool.claim(0.0)) is not None:
        found.append((taken[0].key, zstd.decompress(taken[1])))
    return found


def test_blocks_come_back_as_they_went_in(tmp_path):
    """Head and body are read back whole, in order, once, and the body declares its content size."""
    spool, _ = opened(tmp_path)
    spool.append(block(0, b"one\n"))
    spool.append(block(1, b"two\n"))
    spool.sync()

    head, body = spool.claim(0.0)

    assert (head.key, head.path, head.headers, head.raw_bytes) == ("key-0", "/v1/lines", {"A": "b"}, 4)
    assert zstd.get_frame_info(body).decompressed_size == 4
    assert claimed(spool) == [("key-1", b"two\n")]
    spool.close()


def test_nothing_is_visible_before_its_fsync(tmp_path):
    """The exporter never sees a block that a power cut could take away."""
    spool, ledger = opened(tmp_path)
    spool.append(block(0))

    assert spool.claim(0.0) is None
    assert ledger.counters().counters == {}
    spool.close()


def test_a_look_before_the_fsync_passes_nothing_over(tmp_path):
    """Blocks that fill several files under one fsync all come, in order, though somebody looked in between."""
    spool, _ = opened(tmp_path, max_bytes=1 << 20)
    for number in range(6):
        spool.append(block(number, os.urandom(100_000)))
        assert spool.claim(0.0) is None
    spool.sync()

    assert [key for key, _ in claimed(spool)] == [f"key-{number}" for number in range(6)]
    spool.close()


def test_a_look_between_an_fsync_and_its_being_counted_passes_nothing_over(tmp_path, monkeypatch):
    """While the second of two files is made durable, nothing of the first is to be seen; then every block comes, in order."""
    spool, _ = opened(tmp_path, max_bytes=1 << 20)
    for number in range(4):
        spool.append(block(number, os.urandom(100_000)))
    to_disk = os.fdatasync
    seen = []

    def then_look(descriptor: int) -> None:
        to_disk(descriptor)
        seen.append(spool.claim(0.0))

    monkeypatch.setattr(os, "fdatasync", then_look)
    spool.sync()

    assert len(seen) > 1
    assert set(seen) == {None}
    assert [key for key, _ in claimed(spool)] == [f"key-{number}" for number in range(4)]
    spool.close()


def test_a_restart_replays_what_no_checkpoint_has_counted(tmp_path):
    """Counters and positions are the checkpoint plus the frames after it; a settled block does not come again."""
    spool, ledger = opened(tmp_path)
    spool.append(block(0))
    spool.append(block(1))
    spool.sync()
    head, _ = spool.claim(0.0)
    ledger.shipped(head, duplicate=False)
    ledger.save()
    spool.append(block(2))
    spool.sync()

    again, books = opened(tmp_path)

    counters = books.counters().counters[STREAM]
    assert [key for key, _ in claimed(again)] == ["key-1", "key-2"]
    assert (counters.read_blocks, counters.shipped_blocks, counters.spooled()) == (3, 1, (2, 14))
    assert books.sequence_of(STREAM.source) == 3
    spool.close()
    again.close()


def test_a_segment_goes_only_when_both_checkpoints_know_it_as_settled(tmp_path):
    """Shipped but not checkpointed stays on disk; after both checkpoints know it the file goes."""
    spool, ledger = opened(tmp_path)
    ledger.save()
    before = ledger.settled()
    spool.append(block(0, os.urandom(1 << 21)))
    spool.sync()
    head, _ = spool.claim(0.0)
    ledger.shipped(head, duplicate=False)
    spool.settled(head)

    spool.forget(before)
    kept = spool.used_bytes()
    ledger.save()
    spool.forget(ledger.settled())
    kept_for_the_other = spool.used_bytes()
    ledger.save(anew=True)
    spool.forget(ledger.settled())

    assert kept == kept_for_the_other > 1 << 21
    assert spool.used_bytes() == 0
    spool.close()


def test_a_full_spool_makes_its_source_wait(tmp_path):
    """With ``block`` nothing is lost and nothing is counted."""
    spool, ledger = opened(tmp_path, 1 << 16, "block")
    spool.append(block(0, os.urandom(60_000)))

    with pytest.raises(NoRoom):
        spool.append(block(1, os.urandom(60_000)))

    spool.sync()
    assert ledger.counters().counters[STREAM].read_blocks == 1
    spool.close()


def test_drop_newest_counts_what_it_sheds(tmp_path):
    """With ``drop_newest`` the new block is counted as dropped, durably, and its position passes."""
    spool, _ = opened(tmp_path, 1 << 16, "drop_newest")
    spool.append(block(0, os.urandom(60_000)))
    shed = os.urandom(60_000)
    spool.append(block(1, shed))
    spool.sync()

    again, books = opened(tmp_path, 1 << 16, "drop_newest")

    counters = books.counters().counters[STREAM]
    assert counters.dropped == {"spool_full": [1, 60_000, shed.count(b"\n")]}
    assert [key for key, _ in claimed(again)] == ["key-0"]
    assert books.sequence_of(STREAM.source) == 2
    spool.close()
    again.close()


def test_drop_oldest_makes_room_and_counts(tmp_path):
    """With ``drop_oldest`` the newest blocks are kept, the bound holds, and read = spooled + dropped."""
    limit = 1 << 20
    spool, ledger = opened(tmp_path, limit, "drop_oldest")
    for number in range(60):
        while True:
            try:
                spool.append(block(number, os.urandom(50_000)))
            except NoRoom:
                pytest.fail("shedding makes room at once")
            else:
                break
        spool.sync()
        assert spool.used_bytes() <= limit

    keys = [key for key, _ in claimed(spool)]
    counters = ledger.counters().counters[STREAM]
    assert keys[-1] == "key-59"
    assert counters.spooled()[0] == len(keys)
    assert counters.dropped["spool_full"][0] == 60 - len(keys)
    spool.close()


def test_a_directory_that_cannot_be_written_is_a_clear_error(tmp_path):
    """A file where the spool should be is said, not a stack trace later."""
    (tmp_path / "spool").write_bytes(b"")

    with pytest.raises(SpoolUnavailable, match="spool"):
        opened(tmp_path)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    bodies=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=12),
    damage=st.one_of(
        st.tuples(st.just("cut"), st.floats(0, 1)),
        st.tuples(st.just("zero"), st.floats(0, 1)),
        st.tuples(st.just("flip"), st.floats(0, 1)),
    ),
)
def test_damage_costs_the_damaged_frames_only(tmp_path_factory, bodies, damage):
    """Whatever is cut, zeroed or flipped: undamaged frames come back whole and in order, and new ones go in behind."""
    home = tmp_path_factory.mktemp("spool")
    spool, _ = opened(home)
    ends = []
    for number, body in enumerate(bodies):
        spool.append(block(number, body))
        ends.append(spool.used_bytes())
    spool.sync()
    spool.close()
    first_hurt, last_hurt = hurt(next((home / "spool").iterdir()), *damage)

    again, _ = opened(home)
    found = claimed(again)
    again.append(block(999, b"after\n"))
    again.sync()

    starts = [0, *ends[:-1]]
    whole = [
        (f"key-{number}", body)
        for number, body in enumerate(bodies)
        if ends[number] <= first_hurt or starts[number] > last_hurt
    ]
    assert [item for item in found if item in whole] == whole
    assert all(item[1] == bodies[int(item[0].removeprefix("key-"))] for item in found)
    assert claimed(again) == [("key-999", b"after\n")]
    again.close()


def hurt(path: Path, kind: str, where: float) -> tuple[int, int]:
    """Damage a file; the answer is the first and last byte hurt."""
    data = bytearray(path.read_bytes())
    at = min(int(where * len(data)), len(data) - 1)
    if kind == "cut":
        path.write_bytes(data[:at])
        return at, len(data)
    last = min(at + 40, len(data) - 1) if kind == "zero" else at
    for index in range(at, last + 1):
        data[index] = 0 if kind == "zero" else data[index] ^ 0x5A
    path.write_bytes(data)
    return at, last


def test_a_spool_of_two_blocks_does_not_stay_full(tmp_path):
    """However small the bound: what is settled makes room for the next block."""
    spool, ledger = opened(tmp_path, max_bytes=1 << 20)
    keeper = Keeper(ledger, spool)

    for number in range(5):
        spool.append(block(number, os.urandom(530_000)))
        spool.sync()
        head, _ = spool.claim(0.0)
        ledger.shipped(head, duplicate=False)
        spool.settled(head)
        keeper.keep()

    assert ledger.counters().counters[STREAM].shipped_blocks == 5
    spool.close()
