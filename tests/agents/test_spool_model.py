"""The spool against a model queue, with kills and damage: nothing undamaged is lost, nothing is doubled, the books balance."""

import shutil
import tempfile
from pathlib import Path

from backports import zstd
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agents.frame import Found, frames
from agents.keeper import Keeper
from tests.agents.blocks import FILE, block, killed, opened


class SpoolMachine(RuleBasedStateMachine):
    """Blocks go in, are shipped in order; between two lives bytes of segments are flipped, zeroed, cut off, files deleted."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.spool, self.ledger = opened(self.home, 1 << 20)
        self.keeper = Keeper(self.ledger, self.spool)
        self.read = 0  # blocks handed over and synced
        self.pending = 0  # appended, not synced
        self.collector: dict[str, bytes] = {}
        self.bodies: dict[str, bytes] = {}
        self.hurt: set[str] = set()  # whose frames were damaged or deleted before anybody had shipped them

    @rule()
    def append(self) -> None:
        """A source hands over the next bytes of its file."""
        made = block(self.read + self.pending)
        self.bodies[made.key] = made.body
        self.spool.append(made)
        self.pending += 1

    @rule()
    def sync(self) -> None:
        """And makes them durable."""
        self.spool.sync()
        self.read, self.pending = self.read + self.pending, 0

    @rule(most=st.integers(1, 4))
    def ship(self, most: int) -> None:
        """The exporter takes the oldest; the collector has each key once."""
        for _ in range(most):
            taken = self.spool.claim(0.0)
            if taken is None:
                return
            head, body = taken[0], zstd.decompress(taken[1])
            assert body == self.bodies[head.key]
            self.ledger.shipped(head, duplicate=head.key in self.collector)
            self.collector[head.key] = body
            self.spool.settled(head)

    @rule()
    def keep(self) -> None:
        """The keeper passes."""
        self.keeper.keep()

    @rule()
    def kill(self) -> None:
        """A kill without a power cut: what was written is there, what the source had not heard of it asks for again."""
        self._stop()
        self._start()

    @rule(
        kind=st.sampled_from(["flip", "zero", "cut", "delete"]),
        where=st.floats(0, 1, exclude_max=True),
        length=st.integers(1, 1500),
        also=st.sampled_from([None, None, "checkpoint.json", "checkpoint.json.1"]),
    )
    def damage(self, kind: str, where: float, length: int, also: str | None) -> None:
        """A kill, and the disk has not kept what it had promised: some bytes of a segment, and perhaps a checkpoint."""
        self.sync()
        self._stop()
        files = sorted((self.home / "spool").glob("*.spool"))
        if files:
            path = files[int(where * len(files))]
            before = _keys(path)
            hurt(path, kind, where * len(files) % 1, length)
            self.hurt |= before - (_keys(path) if path.exists() else set())
        if also and (self.home / also).exists():
            hurt(self.home / also, "zero", where, length)
        self._start()

    @rule(
        kind=st.sampled_from(["flip", "zero"]),
        where=st.floats(0, 1, exclude_max=True),
        length=st.integers(1, 900),
    )
    @precondition(lambda self: not self.pending)
    def rot(self, kind: str, where: float, length: int) -> None:
        """The same while the agent runs: it notices when it reads."""
        files = sorted((self.home / "spool").glob("*.spool"))
        if files:
            path = files[int(where * len(files))]
            before = _keys(path)
            hurt(path, kind, where * len(files) % 1, length)
            self.hurt |= before - _keys(path)

    @invariant()
    def the_books_balance(self) -> None:
        """What was read = shipped + dropped + in flight, in blocks and bytes; nothing is negative."""
        counters = self.ledger.counters().counters.get(FILE)
        if counters is not None:
            assert min(counters.spooled()) >= 0
            assert set(counters.dropped) <= {"corrupt"}

    def teardown(self) -> None:
        """Ship everything: what was not damaged has arrived, what was is counted, nothing stays in flight."""
        self.sync()
        self.ship(1 << 30)
        counters = self.ledger.counters().counters.get(FILE)
        killed(self.spool)
        shutil.rmtree(self.home)
        every = {f"key-{number}" for number in range(self.read)}
        missing = every - self.collector.keys()
        assert missing <= self.hurt
        if counters is not None:
            assert counters.spooled() == (0, 0)
            corrupt = counters.dropped.get("corrupt", [0, 0, 0])
            assert corrupt[1] >= 1000 * len(missing)
            assert bool(corrupt[0]) >= bool(missing)
        assert self.ledger.files()["g"].offset == 1000 * self.read if self.read else True

    def _stop(self) -> None:
        killed(self.spool)

    def _start(self) -> None:
        """Open what is there; the source goes on from where the ledger says."""
        self.spool, self.ledger = opened(self.home, 1 << 20)
        self.keeper = Keeper(self.ledger, self.spool)
        place = self.ledger.files().get("g")
        self.read, self.pending = (place.offset // 1000 if place else 0), 0


def _keys(path: Path) -> set[str]:
    """The keys of a segment's whole frames."""
    return {item.head.key for item in frames(path.read_bytes()) if isinstance(item, Found)}


def hurt(path: Path, kind: str, where: float, length: int) -> None:
    """Damage a file from the share *where* of it on, in its place: an open descriptor sees it, too."""
    size = path.stat().st_size
    at = int(where * size)
    if kind == "delete":
        path.unlink()
        return
    with path.open("r+b") as file:
        if kind == "cut":
            file.truncate(at)
            return
        file.seek(at)
        data = file.read(min(length, size - at))
        file.seek(at)
        file.write(bytes(len(data)) if kind == "zero" else bytes(byte ^ 0x5A for byte in data))


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
