"""The files source against a model of a file system: whatever is written, rotated, truncated, deleted and killed, each piece once."""

import contextlib
import os
import re
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from backports import zstd
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agents.frame import Found, frames
from agents.intake import Intake
from agents.ledger import Ledger
from agents.processors.shaper import Shaper
from agents.settings_values import FilesSettings
from agents.sources import Origin
from agents.sources.files import FilesSource, watches
from agents.spool import Spool

PIECE = re.compile(rb"<\d+>")
FAR_S = 80.0  # beyond every wait of the source


class Killed(Exception):
    """The process is gone."""


class Dying(Intake):
    """An intake whose process dies at the n-th call, before or after what it does."""

    left = -1

    def offer(self, block):
        """Write a block, or die."""
        self._die()
        taken = super().offer(block)
        self._die()
        return taken

    def commit(self):
        """Sync, or die."""
        self._die()
        super().commit()
        self._die()

    def _die(self):
        if self.left == 0:
            raise Killed
        self.left -= 1


class Agent:
    """The files source with its real ledger and spool, which can be killed and started again over the same directory."""

    def __init__(self, data: Path, watched: tuple[str, ...], max_open: int) -> None:
        self.data, self.watched, self.max_open = data, watched, max_open
        self.now = 0.0
        self.start()

    def start(self) -> None:
        """Recover what is on disk and find the files."""
        self.ledger = Ledger(self.data / "checkpoint.json")
        self.spool = Spool(self.data / "spool", self.ledger, 1 << 30, "block")
        self.intake = Dying(self.spool, _Never())
        one = FilesSettings(self.watched, (), "beginning", "text", "utf-8", "off", None, 5.0, 1 << 20, {})
        origin = Origin(self.ledger.agent, {})
        self.source = FilesSource(
            watches((one,), origin), self.intake, self.ledger, lambda *_: Shaper(()), self.max_open
        )
        self.source.begin(self.now)

    def poll(self, elapsed_s: float) -> None:
        """Let time pass and do what is due."""
        self.now += elapsed_s
        while self.source.step(self.now):
            continue

    def kill(self) -> None:
        """End as SIGKILL does: descriptors go, memory goes."""
        home = str(self.data.parent)
        for entry in list(Path("/proc/self/fd").iterdir()):
            with contextlib.suppress(OSError):
                if str(entry.readlink()).startswith(home):
                    os.close(int(entry.name))

    def shipped(self) -> bytes:
        """Everything that is in the spool; a frame that was written again counts once."""
        bodies: dict[int, bytes] = {}
        for path in sorted((self.data / "spool").glob("*.spool")):
            data = path.read_bytes()
            for item in frames(data):
                if isinstance(item, Found):
                    bodies[item.head.sequence] = data[item.body_start : item.end]
        return b"|".join(zstd.decompress(body) for body in bodies.values() if body)


class _Never:
    def wait(self, _seconds):
        return True


class Files(RuleBasedStateMachine):
    """
    A service and a rotation, an agent that is polled by hand.

    Every piece of text is unique, so that what was shipped can be counted. ``must`` are the pieces that a poll could read, or that are
    still there at the end; ``partials`` those that end no line.
    """

    @initialize(
        max_open=st.sampled_from([2, 3, 512]),
        header=st.sampled_from([b"", b"=== start ===\n"]),
        padding=st.sampled_from([0, 1200]),
    )
    def begin(self, max_open, header, padding):
        """Start with an empty directory."""
        self.home = Path(tempfile.mkdtemp(prefix="files-model-"))
        self.logs = self.home / "logs"
        (self.logs / "targets").mkdir(parents=True)
        (self.home / "data").mkdir()
        self.header = header
        self.bounded = max_open < 512
        self.padding = b"." * padding
        self.count = self.targets = 0
        self.written: set[bytes] = set()
        self.partials: set[bytes] = set()
        self.must: set[bytes] = set()
        patterns = (f"{self.logs}/app.log*", f"{self.logs}/current", f"{self.logs}/old/*")
        self.agent = Agent(self.home / "data", patterns, max_open)

    def teardown(self):
        """Let the agent come to rest, then compare."""
        try:
            self.agent.poll(1.0)
            for _ in range(4):
                self.agent.poll(FAR_S / 4)
            self._note_seen()
            self._check()
        finally:
            self.agent.kill()
            shutil.rmtree(self.home)

    # What a service does

    @rule(name=st.sampled_from(["app.log", "current"]), lines=st.integers(1, 3), partial=st.booleans())
    def write(self, name, lines, partial):
        """Append whole lines, and perhaps the beginning of another."""
        path = self.logs / name
        if name == "current" and not path.is_symlink():
            return
        text = b"" if path.exists() else self.header
        for _ in range(lines):
            text += self._piece() + self.padding + b" said something\n"
        if partial:
            beginning = self._piece()
            self.partials.add(beginning)
            text += beginning
        with path.open("ab") as file:
            file.write(text)

    @rule()
    def rename(self):
        """Rotate by rename: app.log -> .1 -> .2 -> old/2."""
        if (self.logs / "app.log").exists():
            self._shift()
            (self.logs / "app.log").rename(self.logs / "app.log.1")

    @rule(then_poll=st.booleans(), more=st.booleans(), refill=st.booleans())
    def copytruncate(self, then_poll, more, refill):
        """Rotate by copy: app.log.1 holds what app.log held; bytes may have come that no poll has seen."""
        log = self.logs / "app.log"
        if not log.exists():
            return
        self._shift()
        if more:
            self.write("app.log", 1, partial=False)
        shutil.copyfile(log, self.logs / "app.log.1")
        if then_poll:
            self.poll()
        log.write_bytes(b"")
        if refill:
            log.write_bytes(
                self.header + b"".join(self._piece() + self.padding + b" again\n" for _ in range(3))
            )

    @rule()
    def back_up(self):
        """Copy app.log and leave it as it is; a copy of less than a kilobyte may be read twice after a kill (ADR 0013)."""
        if self.padding and (self.logs / "app.log").exists():
            shutil.copyfile(self.logs / "app.log", self.logs / "app.log.bak")
            self.poll()

    @rule()
    def truncate(self):
        """Empty app.log without a copy."""
        if (self.logs / "app.log").exists():
            (self.logs / "app.log").write_bytes(b"")

    @rule()
    def delete(self):
        """Remove app.log; the next write makes it anew."""
        (self.logs / "app.log").unlink(missing_ok=True)

    @rule()
    def rename_away(self):
        """Move app.log where no pattern looks."""
        if (self.logs / "app.log").exists():
            self.count += 1
            (self.logs / "app.log").rename(self.logs / f"kept-{self.count}")

    @rule()
    def swap(self):
        """Let the link lead to a new file."""
        self.targets += 1
        target = self.logs / "targets" / str(self.targets)
        target.write_bytes(self.header + self._piece() + self.padding + b" new target\n")
        beside = self.logs / "link.new"
        beside.symlink_to(target)
        beside.rename(self.logs / "current")

    # What the agent does

    @rule()
    def poll(self):
        """Look for files and read them."""
        self.agent.poll(1.0)
        self._note_seen()

    @rule()
    def glance(self):
        """Read what is followed, without looking for files."""
        self.agent.poll(0.25)

    @rule()
    def wait(self):
        """Let everything that waits come to its end."""
        for _ in range(8):
            self.agent.poll(1.0)
        self._note_seen()

    @rule()
    def save(self):
        """Make a checkpoint."""
        self.agent.ledger.save()

    @rule()
    def stop(self):
        """End as SIGTERM and a reload do, and start again."""
        self.agent.source.end(self.agent.now)
        self.agent.ledger.save()
        self.must -= self._unended()
        self.agent.kill()
        self.agent.start()

    @rule(calls=st.integers(0, 6))
    def kill(self, calls):
        """Die in the middle of a poll, or between two, and start again."""
        self.agent.intake.left = calls
        with contextlib.suppress(Killed):
            self.agent.poll(1.0)
        self.must -= self._unended()
        self.agent.kill()
        self.agent.start()

    @precondition(lambda self: self.written)
    @invariant()
    def nothing_is_repeated(self):
        """No piece is ever shipped twice, and none that was not written."""
        counts = Counter(PIECE.findall(self.agent.shipped()))
        assert [piece for piece, count in counts.items() if count > 1] == []
        assert set(counts) <= self.written

    def _check(self):
        shipped = set(PIECE.findall(self.agent.shipped()))
        assert self.must - shipped == set()

    def _piece(self):
        self.count += 1
        piece = b"<%d>" % self.count
        self.written.add(piece)
        return piece

    def _shift(self):
        (self.logs / "old").mkdir(exist_ok=True)
        second, first = self.logs / "app.log.2", self.logs / "app.log.1"
        if second.exists():
            second.rename(self.logs / "old" / "app.log.3")
        if first.exists():
            first.rename(second)

    def _readable(self):
        """What is in the files that patterns name now."""
        paths = [*self.logs.glob("app.log*"), self.logs / "current", *self.logs.glob("old/*")]
        return [path.read_bytes() for path in paths if path.exists()]

    def _note_seen(self):
        """A poll has read everything that was there; the beginning of a line may be deleted in a closed file before it ships."""
        seen = {piece for text in self._readable() for piece in PIECE.findall(text)}
        self.must |= seen - self.partials if self.bounded else seen

    def _unended(self):
        """Beginnings of lines that are not in a file any more: a poll has seen them, memory alone had them."""
        there = {piece for text in self._readable() for piece in PIECE.findall(text)}
        shipped = set(PIECE.findall(self.agent.shipped()))
        return (self.must & self.partials) - there - shipped


Files.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
test_every_piece_once = Files.TestCase
