"""
Open to local programs, closed to web pages: Host and Origin are checked before anything else, on every path.

A page on another site can make a browser send requests to 127.0.0.1; a name that resolves there (DNS rebinding) can even read
the answers. So the Host must be one we go by, and a request that a browser marks as cross-site is refused, except for
following a link to a page. Programs send neither Origin nor Sec-Fetch-Site and are not affected.

Source: design.md §12; https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from collector.errors import Forbidden, FuseboardError
from collector.receive.asgi import Receive, Scope, Send, error_response, send_response

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class Guard:
    """
    ASGI middleware.

    Args:
        app: What is guarded.
        allowed_hosts: Names we go by besides loopback's; ``*`` = any (then keys are what protects).
    """

    def __init__(self, app: App, allowed_hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = _LOOPBACK | {host.lower() for host in allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through or answer 403."""
        if scope["type"] == "http":
            try:
                self._check(scope, dict(scope["headers"]))
            except FuseboardError as error:
                await send_response(send, error_response(error))
                return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        host = headers.get(b"host", b"").decode("latin-1")
        if "*" not in self._hosts and _name(host) not in self._hosts:
            raise Forbidden(
                "bad_host",
                f"Host {host[:80]!r} is not one this collector goes by; add it to allowed_hosts",
                "Host",
            )
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and urlsplit(origin).netloc.lower() != host.lower():
            raise Forbidden("cross_site", f"requests from the web page {origin[:80]!r} are refused", "Origin")
        if headers.get(b"sec-fetch-site") == b"cross-site" and not _follows_link(scope, headers):
            raise Forbidden(
                "cross_site", "a request made by a page of another site is refused", "Sec-Fetch-Site"
            )


def _follows_link(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    page = not scope["path"].startswith(("/api/", "/v1/", "/clickhouse", "/prometheus"))
    return scope["method"] == "GET" and headers.get(b"sec-fetch-mode") == b"navigate" and page


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
