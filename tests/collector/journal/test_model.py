"""The journal against a model queue, with kills and damage: nothing undamaged is lost, nothing is doubled, damage is kept for a person."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import crc32c
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from collector.journal.segment import SealedSegment
from collector.journal.sidecar import read_sidecar
from tests.collector.journal.batches import Kept, batch


class JournalMachine(RuleBasedStateMachine):
    """
    Batches are acknowledged, sealed, loaded; between two lives bytes are flipped, zeroed, cut off, files deleted.

    What ClickHouse makes of a record with damaged bytes is played by its checksums: it refuses the record, which is masked.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.journal = Kept(self.folder)
        self.journal.start()
        self.sent = 0
        self.acknowledged: set[str] = set()
        self.loaded: list[str] = []
        self.hurt: set[str] = set()

    @rule(count=st.integers(1, 4))
    def submit(self, count: int) -> None:
        """Clients send, and hear that it is kept."""
        keys = [f"key-{self.sent + n}" for n in range(count)]
        self.sent += count
        futures = [self.journal.submit(_batch(key)) for key in keys]
        for key, future in zip(keys, futures, strict=True):
            assert not future.result(20).duplicate
            self.acknowledged.add(key)

    @rule(number=st.integers(0, 30))
    def repeat(self, number: int) -> None:
        """A client sends again what it has sent: it is a repeat, unless the disk has lost it."""
        key = f"key-{number}"
        if key in self.acknowledged:
            answer = self.journal.submit(_batch(key)).result(20)
            assert answer.duplicate or key in self.hurt
            if not answer.duplicate:
                self.hurt.discard(key)

    @rule()
    def load(self) -> None:
        """The loader takes what is sealed, but for the records that cannot be read."""
        while self.journal.sealed:
            segment = self.journal.sealed.pop(0)
            bad = {
                index: "damaged" for index in range(len(segment.side.records)) if not _whole(segment, index)
            }
            if bad:
                segment.mask(bad)
            for index, record in enumerate(segment.side.records):
                if index in bad:
                    assert record.batch.identity in self.hurt
                else:
                    self.loaded.append(record.batch.identity)
            segment.mark_done("logs")
            self.journal.finished(segment)

    @rule()
    def restart(self) -> None:
        """An orderly end and a new start."""
        self._stop()
        self._start()

    @rule(
        kind=st.sampled_from(["flip", "zero", "cut", "delete"]),
        where=st.floats(0, 1, exclude_max=True),
        length=st.integers(1, 400),
        still_open=st.booleans(),
    )
    def damage(self, kind: str, where: float, length: int, *, still_open: bool) -> None:
        """An end or a kill, and the disk has not kept what it had promised."""
        self._stop(sealing=not still_open)
        files = sorted(
            path for path in self.folder.glob("lines/*") if path.suffix in {".open", ".seg", ".side"}
        )
        if files:
            path = files[int(where * len(files))]
            before = _readable(path)
            _damage(path, kind, where * len(files) % 1, length)
            self.hurt |= before - _readable(path)
        self._start()

    def teardown(self) -> None:
        """Load everything: what was not damaged is there once; what was is masked or set aside, never silently gone."""
        self._stop()
        self._start()
        self.load()
        self._stop()
        aside = list(self.folder.glob("lines/*.seg.damaged"))
        shutil.rmtree(self.folder)
        assert sorted(set(self.loaded)) == sorted(self.loaded)
        assert self.acknowledged - set(self.loaded) <= self.hurt
        assert self.journal.damaged_segments == len(aside)

    def _stop(self, *, sealing: bool = True) -> None:
        if not sealing:
            self.journal._segments.seal_all = lambda: None
        self.journal.end()

    def _start(self) -> None:
        self.journal = Kept(self.folder)
        self.journal.start()


def _batch(key: str):
    return batch(f"b-{key}", key.encode() * 20, identity=key, body_hash=key)


def _whole(segment: SealedSegment, index: int) -> bool:
    """Whether both zstd frames of a record can be read and are what was written."""
    frames = segment.frames(index)
    return (
        len(frames) == segment.side.records[index].length
        and crc32c.crc32c(frames) == segment.side.records[index].crc
    )


def _readable(path: Path) -> set[str]:
    """The identities of a segment whose line and bytes are whole, given one of its two files."""
    side_path = path.with_suffix(".side")
    data_path = next(
        (it for it in (path.with_suffix(".seg"), path.with_suffix(".open")) if it.exists()), None
    )
    if data_path is None or not side_path.exists():
        return set()
    side, data = read_sidecar(side_path)[0], data_path.read_bytes()
    whole = [
        crc32c.crc32c(data[record.offset : record.offset + record.length]) == record.crc
        for record in side.records
    ]
    if data_path.suffix == ".open" or side.seal is None:  # the first that is not whole ends an open segment
        whole = [all(whole[: index + 1]) for index in range(len(whole))]
    if data_path.suffix == ".seg" and side.seal is None and not (whole and all(whole)):
        return set()
    return {record.batch.identity for record, good in zip(side.records, whole, strict=True) if good}


def _damage(path: Path, kind: str, where: float, length: int) -> None:
    size = path.stat().st_size
    at = int(where * size)
    if kind == "delete":
        path.unlink()
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:at])
    else:
        data = bytearray(path.read_bytes())
        for index in range(at, min(at + length, size)):
            data[index] = 0 if kind == "zero" else data[index] ^ 0x5A
        path.write_bytes(data)


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
