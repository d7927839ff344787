"""The journal's directory: whose it is while a process lives, and the name that it keeps for ever."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

from collector.errors import JournalError
from collector.journal.disk import sync_folder


def claim(path: Path) -> int:
    """Lock *path* for this process's life: a second one would seal, load and delete what the first still writes."""
    handle = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise JournalError(
            "journal_in_use",
            f"data_dir: another process writes the journal in {str(path)!r}; stop it or choose another data_dir",
        ) from error
    return handle


def journal_uuid(path: Path) -> str:
    """Return the journal's own name, made once: part of every deduplication token."""
    file = path / "uuid"
    if not file.exists():
        draft = path / "uuid.draft"
        with draft.open("w") as out:
            out.write(secrets.token_hex(16))
            out.flush()
            os.fsync(out.fileno())
        draft.rename(file)
        sync_folder(path)
    return file.read_text().strip()
