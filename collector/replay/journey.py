"""
What is remembered of a replay until it is finished: how times are moved, and how far it is.

Without this a second start would move the times elsewhere, and nothing would be known again. The file is
``$XDG_STATE_HOME/fuseboard/replay/<digest>.json`` (``~/.local/state/…``), one per folder and collector; finishing removes it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from collector.terminal.output import TerminalError


@dataclass(slots=True)
class Journey:
    """
    One replay.

    Attributes:
        asked: The options that decide what is sent: others than before are another replay.
        shift_ns: Added to every time.
        step_ns: A parcel's recorded time at most.
        began_ns: When the recording's beginning is due, epoch nanoseconds.
        sent: Parcels answered.
    """

    asked: dict[str, str]
    shift_ns: int
    step_ns: int
    began_ns: int
    sent: int = 0


class Logbook:
    """
    The file of one folder's replay into one collector.

    Args:
        folder: What is replayed.
        url: Where to.
        environ: The environment.
    """

    def __init__(self, folder: Path, url: str, environ: Mapping[str, str] = os.environ) -> None:
        home = environ.get("XDG_STATE_HOME") or f"{environ.get('HOME', '')}/.local/state"
        digest = hashlib.sha256(f"{folder.resolve()}\0{url}".encode()).hexdigest()[:24]
        self._path = Path(home) / "fuseboard" / "replay" / f"{digest}.json"

    def unfinished(self) -> Journey | None:
        """Return the replay that was not finished; None = there is none."""
        try:
            return Journey(**json.loads(self._path.read_text()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise TerminalError(f"{self._path}: cannot be read ({error}); remove it to begin anew") from error

    def keep(self, journey: Journey) -> None:
        """Write it down, durably."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = self._path.with_suffix(".new")
            with new.open("w") as stream:
                json.dump(asdict(journey), stream)
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(self._path)
        except OSError as error:
            raise TerminalError(
                f"{self._path}: cannot be written ({error}); XDG_STATE_HOME names another place"
            ) from error

    def forget(self) -> None:
        """Remove it: the replay is finished."""
        self._path.unlink(missing_ok=True)
