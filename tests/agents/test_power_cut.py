"""The power is cut at any fsync, rename or deletion: every line is stored once, and the books balance."""

import itertools
import random
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.block import Block, FileMark, Position, Stream
from agents.errors import NoRoom
from agents.keeper import Keeper
from agents.ledger import Ledger
from agents.spool import Spool
from tests.power_cut import PowerCut

FILES = ("a", "b")
RELAYED = Stream("checkout", "test", "traces", "relay:/v1/traces")


def stream(name: str) -> Stream:
    """Whom a file's blocks are counted under."""
    return Stream("checkout", "test", "logs", f"file:/{name}.log")


@dataclass
class World:
    """What does not live on the agent's disk: the files that services write, their requests, the collector."""

    rng: random.Random
    written: dict[str, bytes] = field(default_factory=lambda: dict.fromkeys(FILES, b""))
    stored: dict[str, tuple[str, Position, bytes]] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    requests: int = 0

    def copy(self) -> "World":
        """The same world, to live on after a cut."""
        return World(
            random.Random(1), dict(self.written), dict(self.stored), set(self.acknowledged), self.requests
        )


class Life:
    """One run of the agent on a data directory, in one world; it ends without a word."""

    def __init__(self, home: Path, world: World, when_full: str) -> None:
        self.world = world
        self.ledger = Ledger(home / "checkpoint.json")
        self.spool = Spool(home / "spool", self.ledger, 1 << 16, when_full)
        self.keeper = Keeper(self.ledger, self.spool)
        self.offsets = dict.fromkeys(FILES, 0) | {
            generation: place.offset for generation, place in self.ledger.files().items()
        }
        self.ledger.save()  # as the files source does before it reads

    def write(self, name: str, size: int) -> None:
        """A service writes, and the agent reads."""
        self.world.written[name] += self.world.rng.randbytes(size)
        while self.offsets[name] < len(self.world.written[name]) and self.read(name):
            continue

    def read(self, name: str) -> bool:
        """The agent cuts a block of what is there; False when there was no room for it."""
        start = self.offsets[name]
        body = self.world.written[name][start : start + self.world.rng.randint(500, 6000)]
        mark = FileMark(f"/{name}.log", 1, 1, 0, "")
        position = Position(name, start, start + len(body), mark)
        block = Block(stream(name), "/v1/lines", f"{name}-{start}-{position.end}", position, body)
        taken = self.append(block)
        if taken:
            self.offsets[name] = position.end
        return taken

    def relay(self) -> None:
        """A service sends a request, and hears that it is kept."""
        self.world.requests += 1
        number = self.ledger.sequence_of(RELAYED.source)
        key = f"request-{self.world.requests}"
        block = Block(
            RELAYED, "/v1/traces", key, Position("n1", number, number + 1), self.world.rng.randbytes(700)
        )
        if self.append(block):
            self.spool.sync()
            self.world.acknowledged.add(key)

    def append(self, block: Block) -> bool:
        """Offer a block once."""
        try:
            self.spool.append(block)
        except NoRoom:
            return False
        return True

    def ship(self, count: int) -> None:
        """The exporter sends some blocks; the collector knows a block that it has by its key."""
        for _ in range(count):
            taken = self.spool.claim(0.0)
            if taken is None:
                return
            head, body = taken
            arrived = (head.stream.source, head.position, zstd.decompress(body))
            known = self.world.stored.setdefault(head.key, arrived)
            assert known == arrived, "one identity, two contents"
            self.ledger.shipped(head, duplicate=known is not arrived)
            self.spool.settled(head)

    def end(self) -> None:
        """Let the descriptors go, as a kill does."""
        self.spool._shelf.close()

    def finish(self) -> None:
        """Read what is there, ship everything."""
        for name in FILES:
            while self.offsets[name] < len(self.world.written[name]):
                self.read(name)
                self.spool.sync()
                self.ship(100)
                self.keeper.keep()
        self.spool.sync()
        self.ship(10_000)


def check(home: Path, world: World, when_full: str) -> None:
    """Start on what the cut has left, finish, and compare with what was written."""
    life = Life(home, world, when_full)
    try:
        life.finish()
    finally:
        life.end()
    counters = life.ledger.counters().counters
    for name in FILES:
        pieces = sorted(
            (it[1].start, it[1].end, it[2]) for it in world.stored.values() if it[0] == stream(name).source
        )
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(pieces)), "doubled"
        assert all(world.written[name][start:end] == body for start, end, body in pieces)
        counted = counters.get(stream(name))
        dropped = counted.dropped if counted else {}
        assert set(dropped) <= {"spool_full"}
        missing = len(world.written[name]) - sum(end - start for start, end, _ in pieces)
        assert missing == sum(size for _, size, _ in dropped.values())
    relayed = counters.get(RELAYED)
    shed = sum(blocks for blocks, _, _ in relayed.dropped.values()) if relayed else 0
    assert len(world.acknowledged - world.stored.keys()) <= shed
    assert "spool_full" in (relayed.dropped if relayed else {}) or world.acknowledged <= world.stored.keys()
    assert all(amount.spooled() == (0, 0) for amount in counters.values())


OPERATIONS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(FILES), st.integers(1, 20_000)),
    st.tuples(st.just("write"), st.sampled_from(FILES), st.integers(1, 20_000)),
    st.tuples(st.just("sync")),
    st.tuples(st.just("relay")),
    st.tuples(st.just("ship"), st.integers(1, 3)),
    st.tuples(st.just("save")),
    st.tuples(st.just("keep")),
    st.tuples(st.just("kill"), st.integers(0, 8)),
)


class Killed(BaseException):
    """SIGKILL in the middle of something."""


class Broken(BaseException):
    """A promise was; nothing that is tested may catch this."""


class Run:
    """Lives on one disk, one after the other, and a cut now and then."""

    def __init__(self, folder: Path, seed: int, when_full: str) -> None:
        self.home = folder / "data"
        self.home.mkdir()
        self._image = folder / "image"
        self._rng = random.Random(seed)
        self._when_full = when_full
        self._world = World(random.Random(seed))
        self._dies_in = -1
        self.recorder = PowerCut(self.home, self._boundary)

    def go(self, operations: list[tuple]) -> None:
        """Do one thing after the other; a kill is a new life on the same disk."""
        self._life = Life(self.home, self._world, self._when_full)
        for operation in operations:
            try:
                self._perform(*operation)
            except Killed:
                self._life.end()
                self._life = Life(self.home, self._world, self._when_full)
        self._life.end()

    def _perform(self, kind: str, *given_: object) -> None:
        life = self._life
        if kind == "kill":
            self._dies_in = given_[0]
            return
        {
            "write": life.write,
            "relay": life.relay,
            "ship": life.ship,
            "sync": life.spool.sync,
            "save": life.ledger.save,
            "keep": life.keeper.keep,
        }[kind](*given_)

    def _boundary(self) -> None:
        if self._rng.random() < 0.25:
            self.recorder.image(self._image, self._rng if self._rng.random() < 0.7 else None)
            try:
                check(self._image, self._world.copy(), self._when_full)
            except Exception as error:
                raise Broken(repr(error)) from error
            shutil.rmtree(self._image)
        self._dies_in -= 1
        if self._dies_in == 0:
            raise Killed


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    operations=st.lists(OPERATIONS, min_size=8, max_size=40),
    seed=st.integers(0, 2**32),
    when_full=st.sampled_from(["block", "drop_oldest", "drop_newest"]),
)
def test_a_power_cut_at_any_boundary_loses_and_doubles_nothing(monkeypatch, operations, seed, when_full):
    """
    Whatever of the unsynced bytes and names a cut has left: every line and acknowledged request is stored once.

    What was shed is counted to the byte, and no block is known under two identities.
    """
    with tempfile.TemporaryDirectory() as directory:
        run = Run(Path(directory), seed, when_full)
        with run.recorder.recording(monkeypatch):
            run.go(operations)
