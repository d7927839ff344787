"""Small segments that nothing acts upon wait for a reader; whoever reads waits for them, and nobody waits longer than usual otherwise."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.journal import attendance, open_segments
from collector.journal.attendance import loaded, wait_loaded
from collector.journal.patience import LOADED_WITHIN_S
from collector.journal.segment import SealedSegment
from collector.journal.settings import JournalSettings
from collector.journal.writer import Journal
from tests.collector.journal.batches import FROZEN, NOW_NS, batch
from tests.conftest import eventually

USUAL_S = 0.1


class Held:
    """A journal whose records wait for a minute, and a loader that takes its time."""

    def __init__(self, path: Path, pace_s: float = 0.0) -> None:
        self.sealed: list[SealedSegment] = []
        self.sealed_at: list[float] = []
        self.done = threading.Event()
        self.done.set()
        self.journal = Journal(
            JournalSettings(
                path,
                seal_ages_s={"lines": USUAL_S, "breakers": USUAL_S},
                quiet_s=60.0,
                quiet_most_s={"breakers": 4 * USUAL_S},
                pace_s=pace_s,
            ),
            self._seal,
            lambda _: FROZEN,
            lambda: NOW_NS,
            idle=lambda _: not self.sealed or self.done.is_set(),
        )
        self.journal.start()

    def _seal(self, segment: SealedSegment) -> None:
        self.sealed_at.append(time.monotonic())
        self.sealed.append(segment)

    def write(self, name: str, *, body: bytes = b"line", group: str = "lines", waits: bool = True) -> None:
        """Make one batch durable."""
        made = batch(name, body, group)
        self.journal.submit(type(made)(made.group, made.frames, made.info, waits)).result(60)

    def batches(self) -> list[str]:
        """Batches of what was sealed."""
        return [record.batch.batch_id for segment in self.sealed for record in segment.side.records]


def _patience(patch: pytest.MonkeyPatch, seconds: float) -> None:
    for module in (attendance, open_segments):
        patch.setattr(module, "LOADED_WITHIN_S", seconds)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader waits as long as it takes: on a machine that stands still a second is over before anything is sealed."""
    _patience(monkeypatch, 60.0)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    """One that is ended."""
    made = Held(tmp_path)
    yield made
    made.journal.seal()
    made.journal.stop()


def test_without_a_reader_it_gathers_and_a_reader_has_it_at_once(held: Held) -> None:
    """Several times the usual age goes by; then one call has it sealed, all in one segment."""
    held.write("a")
    time.sleep(5 * USUAL_S)
    held.write("b")
    before = held.batches()

    wait_loaded(held.journal)

    assert (before, held.batches(), len(held.sealed)) == ([], ["a", "b"], 1)


def test_a_reader_waits_until_it_is_loaded(held: Held) -> None:
    """Sealed is not yet in the tables: the reader goes on when the loader says so."""
    held.write("a")
    time.sleep(2 * USUAL_S)
    held.done.clear()
    threading.Timer(0.2, held.done.set).start()

    asyncio.run(loaded(held.journal))

    assert held.done.is_set()
    assert held.batches() == ["a"]


def test_who_comes_while_the_first_reader_waits_waits_too(held: Held) -> None:
    """The parts of a page are asked one after another: what the first had loaded is in the answers of all."""
    held.write("a")
    time.sleep(2 * USUAL_S)
    held.done.clear()
    first = threading.Thread(target=wait_loaded, args=(held.journal,))
    first.start()
    eventually(lambda: held.batches() == ["a"] and held.journal.first_open_ns("lines") is None)
    threading.Timer(0.1, held.done.set).start()

    asyncio.run(loaded(held.journal, {"lines"}))

    assert held.done.is_set()
    first.join()


def test_a_reader_does_not_wait_for_an_engine_that_is_away(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a second the answer is what is there; the next one does not wait again."""
    _patience(monkeypatch, LOADED_WITHIN_S)
    held.write("a")
    time.sleep(2 * USUAL_S)
    held.done.clear()
    began = time.monotonic()
    wait_loaded(held.journal)
    first_s = time.monotonic() - began

    eventually(
        lambda: held.journal.attend(stays=False) == {}
    )  # a second after it was sealed, which may be late

    assert 0.9 < first_s < 30
    assert not held.done.is_set()


def test_after_a_reader_the_usual_age_holds(held: Held) -> None:
    """A page that refreshes itself, or a tail, finds what came in between."""
    asyncio.run(loaded(held.journal))

    held.write("a")

    eventually(lambda: held.batches() == ["a"])


def test_after_who_asks_at_intervals_it_waits_again(held: Held) -> None:
    """A rule finds everything when it asks, and keeps nothing from gathering between its rounds."""
    held.write("a")
    time.sleep(2 * USUAL_S)
    wait_loaded(held.journal)
    first = held.batches()

    held.write("b")
    time.sleep(5 * USUAL_S)

    assert (first, held.batches()) == (["a"], ["a"])


def test_a_reader_of_one_group_leaves_the_others(held: Held) -> None:
    """Who asks about spans has no lines loaded for that."""
    held.write("a")
    held.write("b", group="other")
    time.sleep(2 * USUAL_S)

    wait_loaded(held.journal, {"lines"})

    assert held.batches() == ["a"]
    assert held.journal.first_open_ns("other") is not None


def test_a_reader_who_stays_keeps_only_what_it_reads_from_gathering(held: Held) -> None:
    """A board that refreshes itself has records loaded as they come, and leaves samples of metrics to gather."""
    held.write("a", group="other")
    time.sleep(2 * USUAL_S)

    asyncio.run(loaded(held.journal, {"lines"}))
    held.write("b")
    eventually(lambda: held.batches() == ["b"])

    assert held.journal.first_open_ns("other") is not None


def test_who_reads_nothing_stored_waits_for_nothing(held: Held) -> None:
    """A session is looked up in memory: its question has nothing loaded."""
    held.write("a")
    time.sleep(2 * USUAL_S)
    held.done.clear()

    asyncio.run(loaded(held.journal, ()))

    assert held.batches() == []


@pytest.mark.parametrize("given", [{"waits": False}, {"body": b"x" * (1 << 20)}], ids=["acted upon", "large"])
def test_what_is_acted_upon_or_large_waits_for_nobody(held: Held, given: dict[str, object]) -> None:
    """A transition is an alert's cause; a large segment's load is worth its cost."""
    held.write("a", **given)  # type: ignore[arg-type]

    eventually(lambda: held.batches() == ["a"])


def test_one_hurried_batch_takes_the_others_of_its_segment_along_and_no_later_ones(held: Held) -> None:
    """The next segment waits again."""
    held.write("a")
    held.write("b", waits=False)
    eventually(lambda: held.batches() == ["a", "b"])

    held.write("c")
    time.sleep(5 * USUAL_S)

    assert held.batches() == ["a", "b"]


@pytest.fixture
def paced(tmp_path: Path) -> Iterator[Held]:
    """One that seals what is acted upon once a minute."""
    made = Held(tmp_path, pace_s=60.0)
    yield made
    made.journal.seal()
    made.journal.stop()


def test_the_first_that_is_acted_upon_is_sealed_and_those_right_after_it_together(paced: Held) -> None:
    """A breaker that opens is told at once; one that flaps is not a load each time."""
    paced.write("a", waits=False)
    eventually(lambda: paced.batches() == ["a"])

    paced.write("b", waits=False)
    paced.write("c", waits=False)
    time.sleep(5 * USUAL_S)

    assert paced.batches() == ["a"]
    assert paced.journal.first_open_ns("lines") is not None


def test_a_reader_does_not_wait_for_the_pace(paced: Held) -> None:
    """A board has what flaps at the usual age."""
    paced.write("a", waits=False)
    eventually(lambda: paced.batches() == ["a"])
    asyncio.run(loaded(paced.journal))

    paced.write("b", waits=False)

    eventually(lambda: paced.batches() == ["a", "b"])


def test_the_pace_ends(tmp_path: Path) -> None:
    """What flaps is loaded when it is its turn, without a reader and without anything more."""
    held = Held(tmp_path, pace_s=5 * USUAL_S)
    held.write("a", waits=False)
    eventually(lambda: held.batches() == ["a"])

    held.write("b", waits=False)

    eventually(lambda: held.batches() == ["a", "b"])
    held.journal.seal()
    held.journal.stop()


def test_what_waits_for_a_reader_is_not_behind(held: Held) -> None:
    """Whoever asks how far behind storing is counts from the question, not from when the record came."""
    held.write("a")
    held.sealed.append(None)  # type: ignore[arg-type] - an earlier segment is still being loaded, so this one cannot be sealed
    held.done.clear()
    segment, opened = held.journal._segments._open["lines"]
    held.journal._segments._open["lines"] = (segment, opened - 3600)
    before_s = held.journal.oldest_open_s

    held.journal.attend()

    assert before_s <= USUAL_S
    assert held.journal.oldest_open_s < 600
    held.sealed.clear()


def test_a_group_may_wait_for_less_long_than_the_others(held: Held) -> None:
    """Transitions that wake nobody gather for some seconds, lines for a minute."""
    began = time.monotonic()
    held.write("a", group="breakers")
    held.write("b")

    eventually(lambda: held.batches() == ["a"])
    assert held.sealed_at[0] - began >= 4 * USUAL_S
