"""
``catalogue.yaml``::

    services:
      checkout:
        owner: team-orders
        runbook: https://wiki.example.com/checkout

Read again when its time or size changes; a file that is wrong by then is told in the log once, and what was read before stays.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import structlog
import yaml

from collector.catalogue.entry import read_entry
from collector.errors import Malformed

log = structlog.get_logger()

Entries = Mapping[str, Mapping[str, str]]
FILE_BYTES = 4 << 20


def read_file(path: Path) -> dict[str, dict[str, str]]:
    """
    Return service -> fields.

    Raises:
        Malformed: ``bad_catalogue``: the file cannot be read, is no YAML, or says something an entry cannot say; with its line where
            YAML knows it.
    """
    try:
        if path.stat().st_size > FILE_BYTES:
            raise Malformed("bad_catalogue", f"{path}: larger than {FILE_BYTES} bytes", "catalogue_file")
        document = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    except OSError as error:
        raise Malformed("bad_catalogue", f"{path}: {error.strerror}", "catalogue_file") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Malformed("bad_catalogue", f"{path}: {error}", "catalogue_file") from error
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict):
        raise Malformed("bad_catalogue", f"{path}: no mapping 'services' in it", "catalogue_file")
    found = {}
    for name, fields in services.items():
        if not isinstance(fields, dict):
            raise Malformed(
                "bad_catalogue", f"{path}: services.{name} is no mapping of fields", "catalogue_file"
            )
        found[str(name)] = read_entry(
            {str(key): value for key, value in fields.items()}, f"{path}: services.{name}"
        )
    return found


class CatalogueFile:
    """
    The file as it is now.

    Args:
        path: ``None`` = there is none.

    Raises:
        Malformed: It is wrong at the start.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp = self._now()
        self._entries: Entries = read_file(path) if path is not None else {}

    def entries(self) -> Entries:
        """Return service -> fields, read again if the file has changed."""
        with self._lock:
            stamp = self._now()
            if self._path is not None and stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._entries = read_file(self._path)
                except Malformed as error:
                    log.error("catalogue_file_wrong", error=error.message)  # noqa: TRY400 - its message says all
            return self._entries

    def _now(self) -> tuple[int, int]:
        try:
            stat = self._path.stat() if self._path is not None else None
        except OSError:
            return (0, 0)
        return (stat.st_mtime_ns, stat.st_size) if stat is not None else (0, 0)
