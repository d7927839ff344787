"""
Mapping texts by version, kept beside the journal.

A segment is loaded with the mapping that was current when it was sealed, also after an upgrade and after a restart: a retry under one
token must carry the same rows. A version is a hash of the text, so there is nothing to number and nothing to forget.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from collector.errors import FuseboardError
from collector.journal.disk import sync_folder
from collector.load.mapping import Mapping


class MappingArchive:
    """
    Keeps every mapping text that a segment may still need.

    Args:
        path: Directory, made if missing; one small file per version.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._known: dict[str, Mapping] = {}
        self._versions: dict[Mapping, str] = {}

    def keep(self, mapping: Mapping) -> str:
        """Return the version of *mapping*, after making its text durable."""
        if mapping in self._versions:
            return self._versions[mapping]
        text = msgspec.json.encode({"table": mapping.table, "sql": mapping.sql, "schema": mapping.schema})
        version = hashlib.sha256(text).hexdigest()[:16]
        file = self._path / f"{version}.json"
        if not file.exists():
            draft = self._path / f"{version}.draft"
            with draft.open("wb") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            draft.rename(file)
            sync_folder(self._path)
        self._known[version] = mapping
        self._versions[mapping] = version
        return version

    def get(self, version: str) -> Mapping:
        """
        Return the mapping of *version*.

        Raises:
            FuseboardError: ``mapping_missing``: the archive was deleted while segments still need it.
        """
        if version not in self._known:
            file = self._path / f"{version}.json"
            try:
                self._known[version] = Mapping(**msgspec.json.decode(file.read_bytes()))
            except (OSError, msgspec.DecodeError, TypeError) as error:
                raise FuseboardError(
                    "mapping_missing", f"mapping version {version} is not in {self._path}: {error}"
                ) from error
        return self._known[version]
