"""Where ClickHouse is, as the rest of this package is told."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from collector.store.storage import Storage


@dataclass(frozen=True, slots=True)
class Target:
    """
    Where ClickHouse listens.

    Attributes:
        url: ``http(s)://user:password@host:port/database``.
        shared_disk: The engine reads the collector's files by their paths (embedded mode).
        ca_file: Certificates of the authorities that an https server's is checked against; ``None`` = the system's.
        cluster: Name of the cluster that the tables are spread over; ``None`` = one server.
        storage: Where the server keeps what the schema makes; ``None`` = its default policy.
    """

    url: str
    shared_disk: bool
    ca_file: str | None = None
    cluster: str | None = None
    storage: Storage | None = None

    @property
    def database(self) -> str:
        """Where the tables are."""
        return urlsplit(self.url).path.strip("/") or "default"
