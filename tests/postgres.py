"""A PostgreSQL of the test's own: Debian's, on loopback, in a temporary directory."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import free_port

MISSING = not (shutil.which("initdb") and shutil.which("pg_ctl"))


class Postgres:
    """
    One database cluster; started on the same port each time.

    Args:
        folder: Of its own, writable for *user*.
        user: Who runs it, because root may not; ``None`` = whoever runs the test.
    """

    def __init__(self, folder: Path, user: str | None) -> None:
        self._data = folder / "data"
        self._user = user
        port = free_port()
        self.url = f"postgresql://fuse@127.0.0.1:{port}/postgres"
        self._options = f"-p {port} -h 127.0.0.1 -k {folder}"
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "fuse", "--no-sync")

    def start(self) -> None:
        """Start it; returns when it answers."""
        log = str(self._data / "log")
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", log, "-o", self._options, "start")

    def kill(self) -> None:
        """End it as a crash would."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", "immediate", "stop")

    def _run(self, *command: str) -> None:
        subprocess.run(
            command,
            check=True,
            user=self._user,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run one; it and its directory are gone afterwards."""
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="fuseboard-pg-") as name:
        if user is not None:
            os.chown(name, pwd.getpwnam(user).pw_uid, -1)
        server = Postgres(Path(name), user)
        server.start()
        try:
            yield server
        finally:
            server.kill()
