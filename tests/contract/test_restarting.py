"""docker/restarting.sh, the entry point of the shop's containers."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.conftest import eventually
from tests.contract.compose import ROOT

SERVICE = """
import pathlib, signal, sys
lives = pathlib.Path(sys.argv[1])
lives.write_text(lives.read_text() + "born\\n" if lives.exists() else "born\\n")
if lives.read_text().count("born") == 1:
    sys.exit(1)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
lives.write_text(lives.read_text() + "ready\\n")
signal.pause()
"""


def test_a_crash_starts_the_command_again_and_sigterm_ends_it(tmp_path: Path) -> None:
    """The first life ends with an error; the second gets the signal, and its exit code is the script's."""
    lives = tmp_path / "lives"
    command = ["sh", str(ROOT / "docker" / "restarting.sh"), sys.executable, "-c", SERVICE, str(lives)]
    with subprocess.Popen(command) as process:
        eventually(lambda: lives.exists() and lives.read_text() == "born\nborn\nready\n")
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=60) == 7
