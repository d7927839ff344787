"""A files source that is driven by hand: real files, a real ledger and a real spool, a clock that the test moves."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from agents.frame import Found, FrameHead, frames
from agents.intake import Intake
from agents.ledger import Ledger
from agents.processors.redact import Redactions
from agents.processors.shaper import Shaper, shapers
from agents.settings import load
from agents.sources import Origin
from agents.sources.files import FilesSource, watches
from agents.spool import Spool


class ByHand:
    """One agent's files source over a directory of its own; ``again`` is a restart after a kill."""

    def __init__(self, home: Path, files: list[dict[str, Any]], max_open_files: int) -> None:
        self.data = home / "data"
        self.data.mkdir(exist_ok=True)
        config = home / "agent.toml"
        tables = "".join(
            "[[files]]\n" + "".join(f"{key} = {toml(one[key])}\n" for key in one) for one in files
        )
        config.write_text(f'collector = "http://127.0.0.1:9"\n[resource]\n"service.name" = "s"\n{tables}')
        self.settings = load(config, {})
        self.max_open_files = max_open_files
        self.now = 0.0
        self.again()

    def again(self) -> "ByHand":
        """Begin with what is on disk."""
        self.ledger = Ledger(self.data / "checkpoint.json")
        self.spool = Spool(self.data / "spool", self.ledger, 1 << 30, "block")
        origin = Origin(self.ledger.agent, {"service.name": "s"})
        intake = Intake(self.spool, threading.Event())
        make: Callable[..., Shaper] = shapers(self.settings, Redactions())
        watched = watches(self.settings.files, origin)
        self.source = FilesSource(watched, intake, self.ledger, make, self.max_open_files)
        self.source.begin(self.now)
        return self

    def poll(self, elapsed_s: float = 1.0) -> "ByHand":
        """Let time pass, then do all that is due."""
        self.now += elapsed_s
        while self.source.step(self.now):
            continue
        return self

    def blocks(self) -> list[tuple[FrameHead, bytes]]:
        """What is in the spool, in order."""
        found: list[tuple[FrameHead, bytes]] = []
        for path in sorted((self.data / "spool").glob("*.spool")):
            data = path.read_bytes()
            for item in frames(data):
                if isinstance(item, Found):
                    body = data[item.body_start : item.end]
                    found.append((item.head, zstd.decompress(body) if body else b""))
        return found

    def lines(self) -> list[bytes]:
        """The lines of all blocks, in order."""
        return [line for _, body in self.blocks() for line in body.splitlines()]

    def dropped(self) -> dict[str, list[int]]:
        """Reason -> [blocks, bytes, lines] over all streams."""
        found: dict[str, list[int]] = {}
        for counters in self.ledger.counters().counters.values():
            for reason, amounts in counters.dropped.items():
                found[reason] = [a + b for a, b in zip(found.get(reason, [0, 0, 0]), amounts, strict=True)]
        return found


def toml(value: object) -> str:
    """Write one value."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(one) for one in value)}]"
    return str(value) if isinstance(value, int | float) else f'"{value}"'


@pytest.fixture
def by_hand(tmp_path: Path) -> Callable[..., ByHand]:
    """Make a source that follows *paths* from their beginning, with other keys of ``[[files]]`` as given."""

    def make(*paths: object, max_open_files: int = 512, **more: object) -> ByHand:
        one = {"paths": [str(path) for path in paths], "start_at": "beginning", **more}
        return ByHand(tmp_path, [one], max_open_files)

    return make
