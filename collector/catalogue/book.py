"""The three sources of the catalogue as one, and what it lacks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, insert, select

from collector.catalogue.entry import FIELDS, SERVICE_CHARS, read_entry
from collector.catalogue.file import CatalogueFile
from collector.errors import Malformed, NotFound
from collector.state import State
from collector.state.tables import catalogue

# What an engineer on call looks for; ``breakers`` is asked of the map: each call out of the service is protected.
WANTED = ("owner", "runbook", "docs", "openapi", "slo", "breakers")
ENTRIES_MOST = 5000

Entry = dict[str, Any]


class Book:
    """
    The catalogue.

    Args:
        state: Where what was put is kept.
        file: ``catalogue.yaml``.
    """

    def __init__(self, state: State, file: CatalogueFile) -> None:
        self._state = state
        self._file = file

    def put(self, service: str, fields: Mapping[str, object]) -> dict[str, str]:
        """
        Keep *fields* for *service*, in place of what was put before; without any, forget it.

        Raises:
            Malformed: ``bad_catalogue``.
            Unavailable: The state database refuses.
        """
        if not service.strip() or len(service) > SERVICE_CHARS:
            raise Malformed(
                "bad_catalogue", f"a service's name has 1 to {SERVICE_CHARS} characters", "service"
            )
        entry = read_entry(fields, service[:SERVICE_CHARS])
        with self._state.write() as tx:
            known = tx.execute(select(catalogue.c.service)).scalars().all()
            if service not in known and len(known) >= ENTRIES_MOST:
                raise Malformed("bad_catalogue", f"{ENTRIES_MOST} services were put already", "service")
            tx.execute(delete(catalogue).where(catalogue.c.service == service))
            if entry:
                tx.execute(
                    insert(catalogue).values(service=service, entry=entry, updated_at=datetime.now(UTC))
                )
        return entry

    def forget(self, service: str) -> None:
        """
        Remove what was put for *service*; the file and its attributes speak again.

        Raises:
            NotFound: Nothing was put.
        """
        with self._state.write() as tx:
            if tx.execute(delete(catalogue).where(catalogue.c.service == service)).rowcount == 0:
                raise NotFound("not_found", f"nothing was put for service {service!r}", "service")

    def entries(
        self,
        heard: Iterable[str],
        attributes: Mapping[str, Mapping[str, str]],
        protected: Mapping[str, bool],
    ) -> list[Entry]:
        """
        Return one entry per service that any source names, or that was *heard*.

        Args:
            heard: Services that sent something.
            attributes: Service -> what its resource says.
            protected: Service -> whether each of its calls goes through a breaker; absent: it calls nobody.

        Returns:
            ``{service, <fields>, sources, score, missing, heard}`` by service: *sources* says api, file or attributes per field that is known;
            *score* is the share of `WANTED` that is there, 0 to 1.
        """
        with self._state.read() as tx:
            put = {
                row.service: row.entry for row in tx.execute(select(catalogue.c.service, catalogue.c.entry))
            }
        file, names = self._file.entries(), set(heard)
        found = []
        for service in sorted({*names, *put, *file}):
            sources = {
                "attributes": attributes.get(service, {}),
                "file": file.get(service, {}),
                "api": put.get(service, {}),
            }
            found.append(_entry(service, sources, protected.get(service), heard=service in names))
        return found

    def owners(self) -> Mapping[str, str]:
        """Return service -> owner, as put or in the file."""
        return self._told("owner")

    def slos(self) -> Mapping[str, str]:
        """Return service -> its objective, as put or in the file."""
        return self._told("slo")

    def receivers(self) -> Mapping[str, str]:
        """Return service -> receiver of whoever is on call for it, as put or in the file."""
        return self._told("receiver")

    def _told(self, field: str) -> Mapping[str, str]:
        with self._state.read() as tx:
            put = {
                row.service: row.entry for row in tx.execute(select(catalogue.c.service, catalogue.c.entry))
            }
        merged: dict[str, dict[str, str]] = defaultdict(dict)
        for entries in (self._file.entries(), put):
            for service, entry in entries.items():
                merged[service].update(entry)
        return {service: entry[field] for service, entry in merged.items() if field in entry}


def _entry(
    service: str, sources: Mapping[str, Mapping[str, str]], protected: bool | None, *, heard: bool
) -> Entry:
    fields: dict[str, str | None] = dict.fromkeys(FIELDS)
    origin = {}
    for source, told in sources.items():
        for name, value in told.items():
            fields[name], origin[name] = value, source
    has = {
        **{name: fields[name] is not None for name in WANTED if name in FIELDS},
        "breakers": protected is not False,
    }
    missing = [name for name in WANTED if not has[name]]
    return {
        "service": service,
        **fields,
        "sources": origin,
        "score": round(1 - len(missing) / len(WANTED), 3),
        "missing": missing,
        "heard": heard,
    }
