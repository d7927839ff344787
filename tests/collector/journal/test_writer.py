"""The writer's promises: group commit, identities, bounds, a full disk, one writer per directory."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.errors import Conflict, JournalError, JournalFull, NoRoom
from collector.journal import writer
from tests.collector.journal.batches import NOW_NS, UNAGED, Kept, batch, bodies


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Kept]:
    """A journal that runs, and is ended afterwards; until then it seals by size alone."""
    kept = Kept(tmp_path / "journal", seal_ages_s=UNAGED)
    kept.start()
    yield kept
    kept.end()


@contextmanager
def _disk_ends_after(size: int) -> Iterator[None]:
    """No file of this process may grow beyond *size* bytes: writes stop in the middle, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_waiting_requests_share_one_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred batches that gathered are made durable by one fdatasync of each of the two files."""
    synced: list[int] = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda handle: (synced.append(handle), real(handle))[1])
    journal = Kept(tmp_path, seal_ages_s=UNAGED)
    futures = [journal.submit(batch(f"b{number}")) for number in range(200)]

    journal.start()
    wait(futures, 20)
    shared = len(synced)
    journal.end()

    assert shared == 2
    assert journal.batch_ids() == [f"b{number}" for number in range(200)]


def test_groups_have_segments_of_their_own(journal: Kept) -> None:
    """Formats that fill different tables never share a segment."""
    futures = [
        journal.submit(batch(f"{group}-{n}", group=group))
        for n in range(3)
        for group in ("lines", "breakers")
    ]
    wait(futures, 20)
    journal.end()

    found = {s.group: [record.batch.batch_id for record in s.side.records] for s in journal.sealed}
    assert found == {
        "lines": [f"lines-{n}" for n in range(3)],
        "breakers": [f"breakers-{n}" for n in range(3)],
    }


def test_a_segment_is_sealed_by_age(tmp_path: Path, poll) -> None:
    """One lone batch is handed to the loader a second or two after it came, without another one to push it."""
    journal = Kept(tmp_path)
    journal.start()
    journal.submit(batch("alone")).result(20)

    poll(lambda: journal.sealed, within_s=30)
    assert journal.batch_ids() == ["alone"]
    assert journal.bytes == journal.sealed[0].bytes
    journal.end()


def test_much_is_sealed_sooner_than_little(tmp_path: Path, poll) -> None:
    """A group that gathers for long does so while there is little of it: 2 MiB are worth a load of their own after a second."""
    journal = Kept(tmp_path, seal_ages_s={"little": 60.0, "much": 60.0})
    journal.start()
    journal.submit(batch("small", group="little")).result(20)
    journal.submit(batch("large", b"x" * (2 << 20), group="much")).result(20)

    poll(lambda: journal.sealed, within_s=30)
    assert journal.batch_ids() == ["large"]
    journal.end()


def test_a_segment_is_sealed_by_size(tmp_path: Path) -> None:
    """Beyond 8 MiB the next batch begins a segment of its own."""
    journal = Kept(tmp_path, seal_ages_s=UNAGED)
    noise = os.urandom(writer.SEAL_BYTES // 2 + 1)
    futures = [journal.submit(batch(f"b{n}", noise)) for n in range(3)]
    journal.start()
    wait(futures, 20)
    journal.end()

    assert [len(segment.side.records) for segment in journal.sealed] == [2, 1]


def test_a_repeat_gets_the_first_answer(journal: Kept) -> None:
    """The same identity and body again: the first batch's answer, and nothing written."""
    first = journal.submit(batch("b1", identity="key")).result(20)

    repeat = journal.submit(batch("b2", identity="key")).result(20)

    assert (first.duplicate, repeat.duplicate) == (False, True)
    assert repeat.answer == first.answer == {"batch": "b1"}
    assert journal.bytes == len(batch("b1").frames)


def test_a_concurrent_repeat_waits_for_the_first(tmp_path: Path) -> None:
    """While the first is not durable its repeat has no answer; both get it with the same fsync."""
    journal = Kept(tmp_path)
    first = journal.submit(batch("b1", identity="key"))
    repeat = journal.submit(batch("b2", identity="key"))
    early = repeat.done()

    journal.start()
    answers = [first.result(20), repeat.result(20)]
    journal.end()

    assert not early
    assert [(answer.answer["batch"], answer.duplicate) for answer in answers] == [("b1", False), ("b1", True)]
    assert journal.batch_ids() == ["b1"]


def test_the_same_identity_with_another_body_is_a_conflict(tmp_path: Path) -> None:
    """While it is written, and after: 409 ``idempotency_mismatch``, never a silent drop."""
    journal = Kept(tmp_path)
    first = journal.submit(batch("b1", b"one", identity="key"))
    with pytest.raises(Conflict) as waiting:
        journal.submit(batch("b2", b"two", identity="key"))
    journal.start()
    first.result(20)
    with pytest.raises(Conflict) as later:
        journal.submit(batch("b3", b"three", identity="key"))
    journal.end()

    assert waiting.value.code == later.value.code == "idempotency_mismatch"
    assert later.value.param == "Idempotency-Key"


@pytest.mark.parametrize("finished", [False, True], ids=["unloaded", "finished"])
def test_a_repeat_is_recognised_after_a_restart(tmp_path: Path, finished: bool) -> None:
    """Whether its segment still waits or is long loaded and deleted."""
    before = Kept(tmp_path)
    before.start()
    before.submit(batch("b1", identity="key")).result(20)
    before.seal()
    if finished:
        before.finished(before.sealed[0])
    before.stop()
    after = Kept(tmp_path)
    after.start()

    repeat = after.submit(batch("b2", identity="key")).result(20)
    after.end()

    assert repeat.duplicate
    assert repeat.answer == {"batch": "b1"}
    assert after.batch_ids() == ([] if finished else ["b1"])
    assert after.bytes == (0 if finished else after.sealed[0].bytes)


def test_an_identity_expires(tmp_path: Path) -> None:
    """After its time the same bytes are a new batch; before, they are a repeat."""
    journal = Kept(tmp_path)
    journal.start()
    minutes_5 = 300 * 10**9
    sent = [("b1", 0), ("b2", minutes_5 - 1), ("b3", minutes_5), ("b4", minutes_5 + 1)]

    answers = []
    for batch_id, later in sent:
        made = batch(batch_id, identity="#hash", expires_ns=NOW_NS + later + minutes_5)
        object.__setattr__(made.info, "received_at_ns", NOW_NS + later)
        answers.append(journal.submit(made).result(20))
    journal.end()

    assert [(answer.answer["batch"], answer.duplicate) for answer in answers] == [
        ("b1", False), ("b1", True), ("b3", False), ("b3", True),
    ]  # fmt: skip


def test_an_identity_used_again_outlives_its_first_segment(tmp_path: Path) -> None:
    """Expired, used again, and only then the first segment is finished: the second use is still remembered."""
    journal = Kept(tmp_path, seal_ages_s=UNAGED)
    journal.start()
    journal.submit(batch("b1", identity="#hash", expires_ns=NOW_NS - 1)).result(20)
    journal.submit(batch("b2", identity="#hash")).result(20)
    journal.identities.settle([journal._segments._open["lines"][0].records[0].batch], NOW_NS)

    repeat = journal.submit(batch("b3", identity="#hash")).result(20)
    journal.end()

    assert repeat.duplicate
    assert repeat.answer == {"batch": "b2"}


def test_beyond_its_bound_the_journal_has_no_room(tmp_path: Path) -> None:
    """429 with a time to come back, until a segment is finished."""
    journal = Kept(tmp_path, max_bytes=50)
    journal.start()
    journal.room()
    journal.submit(batch("b1", os.urandom(100))).result(20)
    with pytest.raises(NoRoom, match="journal_max_bytes = 50") as refused:
        journal.room()
    journal.seal()
    journal.finished(journal.sealed[0])

    journal.room()
    journal.stop()
    assert (refused.value.status, refused.value.code, refused.value.retry_after_s) == (429, "journal_full", 5)


def test_a_full_disk_refuses_and_resumes(journal: Kept) -> None:
    """No space in the middle of a record: 429 for it, nothing of it kept, and business as usual once there is space."""
    journal.submit(batch("before")).result(20)
    with _disk_ends_after(2000):
        refused = journal.submit(batch("refused", os.urandom(20_000)))
        error = refused.exception(20)
        small = journal.submit(batch("small")).result(20)
    after = journal.submit(batch("after", os.urandom(20_000))).result(20)
    journal.end()

    assert isinstance(error, JournalFull)
    assert (error.status, error.code) == (429, "journal_full")
    assert not small.duplicate
    assert after.answer == {"batch": "after"}
    assert journal.trouble is None
    assert journal.batch_ids() == ["before", "small", "after"]
    assert [len(body) for segment in journal.sealed for body in bodies(segment)] == [4, 4, 20_000]


def test_an_identity_refused_by_the_disk_is_free_again(journal: Kept) -> None:
    """The retry of a refused batch is not taken for its duplicate; a repeat that waited is refused with it."""
    with _disk_ends_after(1000):
        first = journal.submit(batch("b1", os.urandom(9000), identity="key", body_hash="same"))
        repeat = journal.submit(batch("b2", os.urandom(9000), identity="key", body_hash="same"))
        errors = [first.exception(20), repeat.exception(20)]

    again = journal.submit(batch("b3", identity="key", body_hash="same")).result(20)

    assert all(isinstance(error, JournalFull) for error in errors)
    assert again.answer == {"batch": "b3"}
    assert not again.duplicate


def test_giving_up_a_request_does_not_stop_the_writer(tmp_path: Path) -> None:
    """A server that cancels waiting requests (at its end, say) leaves the others their answers."""
    journal = Kept(tmp_path)

    async def cancel_one() -> dict[str, str]:
        given_up = asyncio.ensure_future(asyncio.wrap_future(journal.submit(batch("b1", identity="key"))))
        follower = asyncio.ensure_future(asyncio.wrap_future(journal.submit(batch("b2", identity="key"))))
        await asyncio.sleep(0)
        given_up.cancel()
        follower.cancel()
        await asyncio.sleep(0)
        journal.start()
        answer = await asyncio.wait_for(asyncio.wrap_future(journal.submit(batch("b3"))), 20)
        return dict(answer.answer)

    answer = asyncio.run(cancel_one())
    journal.end()

    assert answer == {"batch": "b3"}
    assert journal.batch_ids() == ["b1", "b3"]


def test_a_second_writer_is_refused(journal: Kept, tmp_path: Path) -> None:
    """Two processes on one data directory would delete each other's acknowledged bytes: the second does not start."""
    with pytest.raises(JournalError, match="another process") as refused:
        Kept(tmp_path / "journal")

    assert refused.value.code == "journal_in_use"
    assert journal.trouble is None


def test_names_are_never_used_twice(tmp_path: Path) -> None:
    """Two runs, and the deduplication tokens made from segment names differ; the journal's own name stays."""
    names, uuids = [], []
    for _ in range(2):
        journal = Kept(tmp_path)
        journal.start()
        journal.submit(batch("b")).result(20)
        journal.end()
        names.append(journal.sealed[-1].name)
        uuids.append(journal.uuid)

    assert len(set(names)) == 2
    assert names == sorted(names)
    assert len(set(uuids)) == 1
