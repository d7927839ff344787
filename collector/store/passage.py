"""
`Passage`: a checked statement of a person to ClickHouse's HTTP interface, and the answer back as it comes.

The bytes are ClickHouse's in the format that was asked for: nothing is decoded here, and nothing is kept but the chunk on its way.
A client of its own: what becomes of it, ingestion's connections are others.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import httpx

from collector.errors import StoreUnavailable
from collector.store import cluster
from collector.store.target import Target

_CONNECT_S = 5.0
# Beyond the statement's own time: the answer's way, and the engine's end of what it stopped.
_GRACE_S = 15.0


class Passage:
    """
    The way to ClickHouse.

    Args:
        target: Returns where ClickHouse is now, or raises `StoreUnavailable`.
        timeout_s: Seconds a statement may take.
    """

    def __init__(self, target: Callable[[], Target], timeout_s: float) -> None:
        self._target = target
        self._timeout = httpx.Timeout(timeout_s + _GRACE_S, connect=_CONNECT_S)
        self._client: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def run(self, statement: str, params: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """
        Send *statement* with *params* (settings, ``param_…``, database, default_format) and yield the answer, its body unread.

        Raises:
            StoreUnavailable: No answer came, or it broke off.
        """
        where = self._target()
        target = urlsplit(where.url)
        host = f"[{target.hostname}]" if ":" in (target.hostname or "") else target.hostname
        port = target.port or (8443 if target.scheme == "https" else 8123)
        auth = (unquote(target.username or "default"), unquote(target.password or ""))
        try:
            async with self._open(where).stream(
                "POST",
                f"{target.scheme}://{host}:{port}/",
                params={**_of_cluster(where), **params},
                content=statement.encode(),
                auth=auth,
                headers={"Accept-Encoding": "identity"},
            ) as response:
                yield response
        except httpx.HTTPError as error:
            raise StoreUnavailable(f"ClickHouse does not answer: {error!r}"[:300]) from error

    @property
    def embedded(self) -> bool:
        """Whether the engine is chDB, which knows one version of Native only."""
        return self._target().shared_disk

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _open(self, where: Target) -> httpx.AsyncClient:
        if self._client is None:
            verify = ssl.create_default_context(cafile=where.ca_file)
            self._client = httpx.AsyncClient(timeout=self._timeout, trust_env=False, verify=verify)
        return self._client


def _of_cluster(where: Target) -> dict[str, str]:
    settings = cluster.QUERY_SETTINGS if where.cluster else {}
    return {name: str(value) for name, value in settings.items()}
