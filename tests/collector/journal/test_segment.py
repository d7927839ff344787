"""One segment on disk: append, sync, seal, and what recovery makes of every kind of damage."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from collector.journal.recovery import recover
from collector.journal.segment import OpenSegment, SealedSegment
from tests.collector.journal.batches import FROZEN, bodies, frames, info


def _write(folder: Path, name: str = "e-1", count: int = 3) -> OpenSegment:
    segment = OpenSegment(folder, name)
    for number in range(count):
        body = b"line %d" % number * 20
        segment.append(frames(f"b{number}", body), info(f"b{number}", body))
    segment.sync()
    return segment


def _ids(segments: list[SealedSegment]) -> list[str]:
    return [record.batch.batch_id for segment in segments for record in segment.side.records]


def _flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0xFF
    path.write_bytes(data)


def test_a_sealed_segment_holds_what_was_appended(tmp_path: Path) -> None:
    """Bytes, batches and the frozen settings are read back from the two files alone."""
    sealed = _write(tmp_path).seal(FROZEN)

    again = SealedSegment(tmp_path, sealed.name)
    assert bodies(again) == [b"line %d" % number * 20 for number in range(3)]
    assert [record.batch for record in again.side.records] == [
        info(f"b{n}", b"line %d" % n * 20) for n in range(3)
    ]
    assert again.frozen == FROZEN
    assert sealed.side == again.side
    assert again.bytes == again.path.stat().st_size
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".seg", ".side"]


def test_recovery_takes_sealed_segments_as_they_are(tmp_path: Path) -> None:
    """Done markers and masks survive; the frozen versions are the old ones, whatever is current now."""
    sealed = _write(tmp_path).seal(FROZEN)
    sealed.mask({1: "bad"})
    sealed.mark_done("logs")

    (found,) = recover(tmp_path, {"versions": {"logs": "newer"}})

    assert found.frozen == FROZEN
    assert found.side.done == {"logs"}
    assert found.side.masked == {1: "bad"}


def test_recovery_seals_an_open_segment(tmp_path: Path) -> None:
    """Killed before sealing: every synced record is there and is frozen with what is current now."""
    _write(tmp_path)

    (found,) = recover(tmp_path, FROZEN)

    assert _ids([found]) == ["b0", "b1", "b2"]
    assert found.frozen == FROZEN
    assert bodies(found)[2] == b"line 2" * 20


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_tail_of_the_data_is_cut_off(tmp_path: Path, cut: int) -> None:
    """The last record lacks bytes: it and its line go, the others stay and can be read."""
    _write(tmp_path)
    data = tmp_path / "e-1.open"
    os.truncate(data, data.stat().st_size - cut)

    (found,) = recover(tmp_path, FROZEN)

    assert _ids([found]) == ["b0", "b1"]
    assert found.path.stat().st_size == found.bytes
    assert _ids(recover(tmp_path, FROZEN)) == ["b0", "b1"]


def test_a_torn_line_of_the_sidecar_is_cut_off(tmp_path: Path) -> None:
    """The last line lacks its end: that record was never acknowledged and goes."""
    _write(tmp_path)
    side = tmp_path / "e-1.side"
    os.truncate(side, side.stat().st_size - 1)

    (found,) = recover(tmp_path, FROZEN)

    assert _ids([found]) == ["b0", "b1"]
    assert found.path.stat().st_size == found.bytes


def test_zeroed_bytes_end_the_segment(tmp_path: Path) -> None:
    """A file system that kept the length but not the bytes: zeros in the last record are noticed by their CRC."""
    segment = _write(tmp_path)
    last = segment.records[-1]
    data = bytearray((tmp_path / "e-1.open").read_bytes())
    data[last.offset :] = bytes(last.length)
    (tmp_path / "e-1.open").write_bytes(data)

    assert _ids(recover(tmp_path, FROZEN)) == ["b0", "b1"]


def test_a_wrong_checksum_in_the_data_ends_the_segment(tmp_path: Path) -> None:
    """One flipped bit in the second record of an open segment: only what stands before it counts."""
    segment = _write(tmp_path)
    _flip(tmp_path / "e-1.open", segment.records[1].offset + 3)

    assert _ids(recover(tmp_path, FROZEN)) == ["b0"]


def test_a_wrong_checksum_in_the_sidecar_ends_the_segment(tmp_path: Path) -> None:
    """One flipped bit in the second line of an open segment's sidecar: only what stands before it counts."""
    _write(tmp_path)
    first_line = (tmp_path / "e-1.side").read_bytes().index(b"\n")
    _flip(tmp_path / "e-1.side", first_line + 30)

    assert _ids(recover(tmp_path, FROZEN)) == ["b0"]


def test_a_crash_between_seal_line_and_rename_keeps_the_first_seal(tmp_path: Path) -> None:
    """The seal's line is there, the permanent name is not: the frozen settings of the line count."""
    sealed = _write(tmp_path).seal(FROZEN)
    sealed.path.rename(tmp_path / "e-1.open")

    (found,) = recover(tmp_path, {"versions": {"logs": "newer"}})

    assert found.frozen == FROZEN
    assert _ids([found]) == ["b0", "b1", "b2"]


def test_an_empty_or_orphaned_file_is_swept_up(tmp_path: Path) -> None:
    """What holds no acknowledged record goes: a segment just created, data without sidecar, sidecar without data."""
    OpenSegment(tmp_path, "e-1")
    (tmp_path / "e-2.open").write_bytes(b"")
    (tmp_path / "e-3.side").write_bytes(b"")
    (tmp_path / ".records-x.tmp").write_bytes(b"left by a killed quarantine")

    assert recover(tmp_path, FROZEN) == []
    assert list(tmp_path.iterdir()) == []


def test_a_torn_marker_does_not_hide_later_ones(tmp_path: Path) -> None:
    """A marker cut off by a kill is removed at recovery, so that those written next are found by the recovery after it."""
    sealed = _write(tmp_path).seal(FROZEN)
    sealed.mark_done("logs")
    side = tmp_path / "e-1.side"
    os.truncate(side, side.stat().st_size - 4)
    (found,) = recover(tmp_path, FROZEN)
    found.mask({0: "bad"})

    (again,) = recover(tmp_path, FROZEN)

    assert again.side.done == set()
    assert again.side.masked == {0: "bad"}


def test_a_sealed_segment_without_its_seal_is_set_aside(tmp_path: Path) -> None:
    """A disk that changed what it had kept: the others are loaded, the damaged bytes stay for a person to look at."""
    _write(tmp_path, "e-1").seal(FROZEN)
    _write(tmp_path, "e-2").seal(FROZEN)
    _flip(tmp_path / "e-1.side", 40)

    found = recover(tmp_path, FROZEN)

    assert [segment.name for segment in found] == ["e-2"]
    assert (tmp_path / "e-1.seg.damaged").stat().st_size == found[0].bytes
    assert (tmp_path / "e-1.side.damaged").exists()
    assert [segment.name for segment in recover(tmp_path, FROZEN)] == ["e-2"]


def test_recovery_may_be_killed_anywhere(tmp_path: Path) -> None:
    """Recovering a recovered copy changes nothing: sealed bytes stay as they are."""
    _write(tmp_path, "e-1")
    os.truncate(tmp_path / "e-1.open", (tmp_path / "e-1.open").stat().st_size - 3)
    recover(tmp_path, FROZEN)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    recover(tmp_path, FROZEN)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_removing_deletes_both_files(tmp_path: Path) -> None:
    """A finished segment leaves nothing; killed in between, recovery sweeps the sidecar up."""
    sealed = _write(tmp_path / ".").seal(FROZEN)
    shutil.copy(tmp_path / "e-1.side", tmp_path / "e-0.side")
    sealed.remove()

    assert recover(tmp_path, FROZEN) == []
    assert list(tmp_path.iterdir()) == []
