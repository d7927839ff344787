"""The journal against a model, killed at random: what was acknowledged is there, once; nothing else is, or is whole."""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import wait
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.journal.segment import OpenSegment
from tests.collector.journal.batches import FROZEN, UNAGED, Kept, batch, bodies, frames, info


def _body(number: int) -> bytes:
    return b"line %d " % number * (1 + number % 5)


def _found(journal: Kept) -> list[tuple[str, bytes]]:
    return [
        (record.batch.batch_id, body)
        for segment in journal.sealed
        for record, body in zip(segment.side.records, bodies(segment), strict=True)
    ]


def _restarted(image: Path) -> Kept:
    journal = Kept(image)
    journal.start()
    journal.end()
    return journal


@settings(max_examples=40, deadline=None)
@given(acknowledged=st.integers(0, 6), unsynced=st.integers(0, 4), data=st.data())
def test_a_crash_keeps_what_was_synced_and_only_whole_records(
    acknowledged: int, unsynced: int, data: st.DataObject
) -> None:
    """Cut both files anywhere behind the last fsync: the acknowledged prefix survives, later records wholly or not at all."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "lines"
        folder.mkdir()
        segment = OpenSegment(folder, "e-1")
        floors = (0, 0)
        for number in range(acknowledged + unsynced):
            if number == acknowledged:
                floors = tuple((folder / f"e-1.{end}").stat().st_size for end in ("open", "side"))
            segment.append(frames(f"b{number}", _body(number)), info(f"b{number}", _body(number)))
        if unsynced == 0:
            floors = tuple((folder / f"e-1.{end}").stat().st_size for end in ("open", "side"))
        for end, floor in zip(("open", "side"), floors, strict=True):
            path = folder / f"e-1.{end}"
            cut = data.draw(st.integers(floor, path.stat().st_size), label=end)
            tail = data.draw(st.sampled_from([b"", b"\0" * 64, b"garbage\n"]), label=f"{end} tail")
            path.write_bytes(path.read_bytes()[:cut] + tail)

        journal = _restarted(Path(directory))

        expected = [(f"b{number}", _body(number)) for number in range(acknowledged + unsynced)]
        found = _found(journal)
        assert found == expected[: len(found)]
        assert len(found) >= acknowledged
        assert _found(_restarted(Path(directory))) == found


@settings(max_examples=15, deadline=None)
@given(
    runs=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=8), min_size=1, max_size=3),
    finish=st.lists(st.booleans()),
)
def test_retries_over_restarts_store_each_batch_once(runs: list[list[int]], finish: list[bool]) -> None:
    """Batches sent again and again over several kills, their segments finished or not in between: each is kept exactly once."""
    with tempfile.TemporaryDirectory() as directory:
        image = Path(directory) / "0"
        loaded: list[str] = []
        for run, numbers in enumerate(runs):
            journal = Kept(image, seal_ages_s=UNAGED)
            journal.start()
            wait(
                [
                    journal.submit(batch(f"{run}-{n}-{at}", _body(n), identity=f"key-{n}"))
                    for at, n in enumerate(numbers)
                ],
                20,
            )
            killed = Path(directory) / f"{run + 1}"
            if run < len(finish) and finish[run]:
                journal.seal()
                for segment in list(journal.sealed):
                    loaded += [record.batch.identity for record in segment.side.records]
                    journal.finished(segment)
                shutil.copytree(image, killed)
                journal.stop()
            else:
                shutil.copytree(image, killed)
                journal.end()
            image = killed

        journal = _restarted(image)

        kept = [record.batch.identity for segment in journal.sealed for record in segment.side.records]
        assert sorted(loaded + kept) == sorted({f"key-{n}" for numbers in runs for n in numbers})
        assert all(segment.frozen == FROZEN for segment in journal.sealed)
