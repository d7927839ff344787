"""
Reports that could not be delivered yet: ``reports.pending`` in the data directory, one JSON object per line, oldest first.

Appended to and fsynced once per report that could not be delivered; emptied when all have been. Counters are cumulative, so
when there are too many, every other of the older half goes: of a long outage the ends are kept, and its middle in coarser steps.
A line that a power cut tore is passed over.
"""

import json
import os
from pathlib import Path

from agents.checkpoint import sync_directory

MAX_REPORTS = 64
MAX_BYTES = 4 << 20  # a report of a node with 200 streams is some 60 KB


class Unreported:
    """The reports that wait, in memory and on disk; for one thread."""

    def __init__(self, path: Path) -> None:
        """Read what a former process could not deliver."""
        self._path = path
        self._reports: list[bytes] = []
        try:
            self._reports = [line for line in path.read_bytes().splitlines() if _is_report(line)]
        except OSError:  # most often: there is none. One that cannot be read is told again by the next report
            return

    def __len__(self) -> int:
        return len(self._reports)

    def first(self) -> bytes | None:
        """Give the oldest."""
        return self._reports[0] if self._reports else None

    def keep(self, report: bytes) -> None:
        """
        Add one (a single line), the newest.

        Raises:
            OSError: The disk refuses; it is kept in memory.
        """
        self._reports.append(report)
        if self._thin():
            self._rewrite()
        else:
            self._append(report)

    def done(self) -> None:
        """Let the oldest go; the file is written once none is left, so a kill in between repeats a few under their old keys."""
        del self._reports[0]
        if not self._reports:
            self._path.unlink(missing_ok=True)

    def _thin(self) -> bool:
        """Drop every other of the older half until the rest fits."""
        thinned = False
        while len(self._reports) > 2 and self._is_too_much():
            half = len(self._reports) // 2
            self._reports = self._reports[:1] + self._reports[1:half:2] + self._reports[half:]
            if half < 3:
                del self._reports[1]
            thinned = True
        return thinned

    def _is_too_much(self) -> bool:
        return len(self._reports) > MAX_REPORTS or sum(map(len, self._reports)) > MAX_BYTES

    def _append(self, report: bytes) -> None:
        with self._path.open("ab") as file:
            file.write(b"\n" + report + b"\n")  # the first newline ends a line that was torn
            file.flush()
            os.fsync(file.fileno())

    def _rewrite(self) -> None:
        beside = self._path.with_suffix(".new")
        with beside.open("wb") as file:
            file.write(b"\n".join(self._reports) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        sync_directory(self._path.parent)


def key_of(report: bytes) -> str:
    """Give a report's identity: its agent and its number, so that one whose answer was lost is stored once."""
    fields = json.loads(report)
    return f"{fields['agent']}-report-{fields['sequence']}"


def _is_report(line: bytes) -> bool:
    try:
        return bool(line) and bool(key_of(line))
    except (ValueError, KeyError, TypeError):
        return False
