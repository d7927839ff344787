"""The power is cut at any fsync, rename or deletion of the collector: each acknowledged batch is loaded once."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.journal.batch import Accepted
from collector.journal.segment import SealedSegment
from tests.collector.journal.batches import Kept, batch, bodies
from tests.power_cut import PowerCut
from tests.small_disk import SmallDisk, small_disk

TABLES = ("logs", "batches")


@dataclass
class World:
    """What does not live on the journal's disk: clients and ClickHouse."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    tables: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)
    batches: int = 0

    def copy(self) -> World:
        """The same world, to live on after a cut."""
        return World(dict(self.acknowledged), dict(self.tables), self.batches)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """In memory: SQLite's own fsyncs need not wait for a real one."""
    with small_disk(tmp_path / "disk", "64m") as made:
        yield made


class Unthreaded:
    """Stands where the writer's thread is: the test takes the turns itself."""

    def start(self) -> None:
        """Do nothing."""

    def is_alive(self) -> bool:
        """Requests may come."""
        return True


class Life:
    """One run of a journal, and of the loader behind it, in one world."""

    def __init__(self, path: Path, world: World) -> None:
        self.world = world
        self.journal = Kept(path, reserve_bytes=4096)
        self.journal._thread = Unthreaded()
        self.journal.start()
        self.waiting: list[tuple[str, Future[Accepted]]] = []

    def submit(self, key: str) -> None:
        """A client sends, for the first time or again."""
        self.world.batches += 1
        body = key.encode() * 40
        made = batch(f"b{self.world.batches}", body, identity=key, body_hash=key)
        self.waiting.append((key, self.journal.submit(made)))

    def turn(self) -> None:
        """The writer takes a turn."""
        if not self.journal._queue.empty():
            self.journal._turn()
        for key, future in self.waiting:
            answer = future.result(0)
            first = self.world.acknowledged.setdefault(key, answer.answer["batch"])
            assert first == answer.answer["batch"], "a repeat got another answer"
        self.waiting.clear()

    def seal(self) -> None:
        """The open segment is old enough."""
        self.journal._segments.seal_all()

    def load(self, *, fully: bool = True) -> None:
        """The loader takes the first segment; ClickHouse knows a load it has by its token."""
        if not self.journal.sealed:
            return
        segment = self.journal.sealed[0]
        for table in TABLES[: 2 if fully else 1]:
            if table not in segment.side.done:
                self._insert(segment, table)
                segment.mark_done(table)
        if fully:
            self.journal.finished(segment)
            self.journal.sealed.remove(segment)

    def mask(self) -> None:
        """The loader sets the first record aside, before anything is inserted."""
        if (
            self.journal.sealed
            and not self.journal.sealed[0].side.done | self.journal.sealed[0].side.masked.keys()
        ):
            self.journal.sealed[0].mask({0: "bad"})

    def _insert(self, segment: SealedSegment, table: str) -> None:
        rows = [
            (record.batch.identity, body)
            for index, (record, body) in enumerate(zip(segment.side.records, bodies(segment), strict=True))
            if table == "batches" or index not in segment.side.masked
        ]
        token = f"{self.journal.uuid}/{segment.name}:{table}"
        assert self.world.tables.setdefault(token, rows) == rows, "one token, two contents"

    def end(self) -> None:
        """Let go, as a kill does."""
        for segment, _ in self.journal._segments._open.values():
            segment.close()
        self.journal.stop()


def check(path: Path, world: World) -> None:
    """Start on what the cut has left; the clients try again; load everything; compare with what was acknowledged."""
    life = Life(path, world)
    keys = {f"key-{n}" for n in range(6)}
    before = dict(world.acknowledged)
    for key in sorted(keys):
        life.submit(key)
    life.turn()
    life.seal()
    while life.journal.sealed:
        life.load()
    life.end()
    stored = [row for token, rows in world.tables.items() if token.endswith(":batches") for row in rows]

    assert before.items() <= world.acknowledged.items()
    assert sorted(key for key, _ in stored) == sorted(keys)
    assert all(body == key.encode() * 40 for key, body in stored)


class Killed(BaseException):
    """SIGKILL in the middle of something."""


class Broken(BaseException):
    """A promise was; nothing that is tested may catch this."""


class Run:
    """Lives on one disk, one after the other, and a cut now and then."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._path = folder / "journal"
        self._path.mkdir()
        self._image = folder / "image"
        self._rng = random.Random(seed)
        self._world = World()
        self._dies_in = -1
        self.cuts = 0
        self.recorder = PowerCut(self._path, self._boundary, whole=("identities.db*", "lock"))

    def go(self, operations: list[tuple]) -> None:
        """Do one thing after the other; a kill is a new life on the same disk."""
        life = None
        for kind, *given_ in operations:
            try:
                life = life or Life(self._path, self._world)
                if kind == "kill":
                    self._dies_in = given_[0]
                else:
                    getattr(life, kind)(*given_)
            except Killed:
                if life is not None:
                    life.end()
                    life = None
        if life is not None:
            life.end()

    def _boundary(self) -> None:
        if self._rng.random() < 0.3:
            self.cuts += 1
            self.recorder.image(self._image, self._rng if self._rng.random() < 0.7 else None)
            try:
                check(self._image, self._world.copy())
            except Exception as error:
                raise Broken(repr(error)) from error
            shutil.rmtree(self._image)
        self._dies_in -= 1
        if self._dies_in == 0:
            raise Killed


OPERATIONS = st.one_of(
    st.tuples(st.just("submit"), st.integers(0, 5).map(lambda n: f"key-{n}")),
    st.tuples(st.just("turn")),
    st.tuples(st.just("seal")),
    st.tuples(st.just("load")),
    st.tuples(st.just("mask")),
    st.tuples(st.just("kill"), st.integers(1, 12)),
)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(operations=st.lists(OPERATIONS, min_size=6, max_size=30), seed=st.integers(0, 2**32))
def test_a_power_cut_at_any_boundary_loses_and_doubles_nothing(
    monkeypatch, disk: SmallDisk, operations, seed
) -> None:
    """Whatever of the unsynced bytes and names is left: each batch is loaded once, and a repeat gets its first answer."""
    with tempfile.TemporaryDirectory(dir=disk.path) as directory:
        run = Run(Path(directory), seed)
        with run.recorder.recording(monkeypatch):
            run.go(operations)


def test_the_model_cuts(monkeypatch, disk: SmallDisk) -> None:
    """The recorder stands where the journal syncs: an ordinary run meets dozens of boundaries."""
    run = Run(disk.path, 7)
    with run.recorder.recording(monkeypatch):
        run.go(
            [("submit", "key-1"), ("turn",), ("seal",), ("load",), ("submit", "key-2"), ("turn",), ("seal",)]
        )

    assert run.cuts >= 5
