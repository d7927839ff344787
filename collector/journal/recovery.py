"""
Brings a group's directory back after any kind of end: a kill, a power cut, a disk that kept less than it promised.

A sidecar's torn last line is cut off; a record counts if its line is whole and its bytes are there and match their CRC; the first that does
not ends an open segment, and both files are truncated to what counts. What was acknowledged was fsynced in both. A sealed segment is as long
as its records say; what is behind them is cut off. What cannot be believed is kept beside as ``.damaged``, for a person.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from collector.journal.disk import sync_folder, truncate
from collector.journal.segment import SealedSegment, intact
from collector.journal.sidecar import line_of, read_sidecar

log = structlog.get_logger()


def recover(folder: Path, frozen: Mapping[str, Any]) -> list[SealedSegment]:
    """
    Bring one group's directory back after any kind of end, and return what is to be loaded, oldest first.

    Args:
        folder: The group's directory.
        frozen: What to freeze into segments that were still open.
    """
    for path in sorted(folder.glob("*.open")):
        _recover_open(folder, path.stem, frozen)
    sealed = []
    for path in sorted(folder.glob("*.seg")):
        if (folder / f"{path.stem}.side").exists():
            sealed.append(SealedSegment(folder, path.stem))
        else:
            path.rename(folder / f"{path.name}.damaged")
            log.error("segment_damaged", group=folder.name, segment=path.stem, records=0)
    for path in folder.glob("*.side"):
        if not (folder / f"{path.stem}.seg").exists():
            path.unlink()
    for path in folder.glob("*.side-draft"):
        path.unlink()
    for path in folder.glob(".records-*.tmp"):  # what load/quarantine.py was trying when it ended
        path.unlink()
    sync_folder(folder)
    return [segment for segment in sealed if segment.repaired(frozen)]


def _recover_open(folder: Path, name: str, frozen: Mapping[str, Any]) -> None:
    data_path, side_path = folder / f"{name}.open", folder / f"{name}.side"
    if not side_path.exists():
        data_path.unlink()
        return
    side, lengths = read_sidecar(side_path)
    kept = intact(data_path, side.records)
    if not kept:
        data_path.unlink()
        side_path.unlink()
        return
    end = kept[-1].offset + kept[-1].length
    truncate(data_path, end)
    sealed = side.seal is not None and len(kept) == len(side.records)
    truncate(side_path, lengths[-1] if sealed else lengths[len(kept) - 1])
    if not sealed:
        with side_path.open("ab") as file:
            file.write(line_of({"seal": dict(frozen)}))
            file.flush()
            os.fsync(file.fileno())
    data_path.rename(folder / f"{name}.seg")
