"""The data directory belongs to one agent at a time: two would count and delete each other's blocks."""

import fcntl
import time
from pathlib import Path
from typing import IO

from agents.errors import WrongSetting

PATIENCE_S = 0.5  # somebody who asks ``is_used`` holds the lock for a moment


def locked(data_dir: Path) -> IO[bytes]:
    """
    Make the data directory ours; the lock goes with the process, however it ends.

    Raises:
        WrongSetting: It cannot be made, or another agent uses it: two would count and delete each other's blocks.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "lock").open("wb")
    except OSError as error:
        raise WrongSetting("data_dir", f"{str(data_dir)!r} cannot be used: {error}") from error
    deadline = time.monotonic() + PATIENCE_S
    while not _is_taken(lock):
        if time.monotonic() > deadline:
            lock.close()
            raise WrongSetting("data_dir", f"{str(data_dir)!r} is used by another agent: give each its own")
        time.sleep(0.05)
    return lock


def is_used(data_dir: Path) -> bool:
    """Say whether an agent is running on *data_dir*."""
    try:
        with (data_dir / "lock").open("rb") as lock:
            return not _is_taken(lock)
    except OSError:
        return False


def _is_taken(lock: IO[bytes]) -> bool:
    """Try to lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
