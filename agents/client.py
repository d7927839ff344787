"""
HTTP to one collector: a kept-alive connection, and a clear word on whether a request can have been taken.

``Unreached`` is raised when no connection was made (refused, no such name, a proxy's no, a certificate that is not trusted);
everything that goes wrong later is ``UnknownFate``, because the collector may have journalled the block before the answer
was lost. A request has one deadline for all of it, so an answer that hangs or drips is given up.
"""

import base64
import functools
import http.client
import io
import select
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from agents.access import Access
from agents.deadline import Deadline, TimedReader, send_all
from agents.errors import UnknownFate, Unreached, Untrusted

CONNECT_S = 10.0  # name, connection, proxy and handshake together; a collector that needs more is not well
ANSWER_S = 30.0  # longer than a collector's slowest fsync; shorter than what an operator takes for a hang
SLOWEST_BYTES_PER_S = 16 << 10  # a large block on a slow line is given the time that it needs
MAX_ANSWER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What a collector said: header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """A connection to *url*, made on first use and again after trouble; for one thread."""

    def __init__(self, url: str, access: Access) -> None:
        self.url = url
        self._access = access
        self._parts = urlsplit(url)
        self._connection: _Connection | None = None

    def post(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """
        Send one request and read its answer.

        Raises:
            Unreached: The collector cannot have it.
            UnknownFate: The collector may have it.
        """
        connection = self._connected()
        connection.deadline.set(ANSWER_S + len(body) / SLOWEST_BYTES_PER_S)
        try:
            _send(connection, self._target(path), self._headers() | headers, body)
            response = connection.getresponse()
            text = response.read(MAX_ANSWER_BYTES)
            if not response.isclosed():
                self.close()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if _is_our_certificate_refused(error):
                raise Untrusted(self.url, repr(error)) from error
            raise UnknownFate(self.url, repr(error)) from error
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, text)

    def close(self) -> None:
        """Let the connection go; the next request makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> "_Connection":
        if self._connection is not None and self._connection.sock is not None:
            if not is_readable(self._connection.sock):
                return self._connection
            self.close()  # the collector has closed it while it was idle; nothing was asked, so nothing is unknown
        connection = None
        try:
            connection = self._made()
            connection.connect()
        except (
            OSError,
            http.client.HTTPException,
            ValueError,
        ) as error:  # ValueError: a name no resolver takes
            if connection is not None:
                connection.close()
            kind = Untrusted if "CERTIFICATE_VERIFY_FAILED" in str(error) else Unreached
            raise kind(self.url, repr(error)) from error
        self._connection = connection
        return connection

    def _made(self) -> "_Connection":
        """Make a connection, not yet open: to the collector, or to the proxy on the way."""
        secure = self._parts.scheme == "https"
        first = urlsplit(self._access.proxy) if self._access.proxy else self._parts
        port = first.port or (443 if first.scheme == "https" else 80)
        connection = _Connection(first.hostname or "", port, timeout=CONNECT_S)
        if secure:
            connection.context = self._access.context()
            connection.name = self._parts.hostname or ""
        if secure and self._access.proxy:
            connection.set_tunnel(connection.name, self._parts.port or 443, _proxy_headers(first))
        return connection

    def _target(self, path: str) -> str:
        """Give the request's target: absolute for a proxy that forwards, else the path."""
        forwarded = self._access.proxy and self._parts.scheme == "http"
        origin = f"http://{self._parts.netloc.rpartition('@')[2]}" if forwarded else ""
        return origin + self._parts.path + path

    def _headers(self) -> dict[str, str]:
        key = self._access.key.text
        headers = {"User-Agent": "fuseboard-agent"} | ({"Authorization": f"Bearer {key}"} if key else {})
        if self._access.proxy and self._parts.scheme == "http":
            headers |= _proxy_headers(urlsplit(self._access.proxy))
        return headers


class Clients:
    """One thread's connections, by collector; all are made anew when there is another *access*."""

    def __init__(self) -> None:
        self._access: Access | None = None
        self._clients: dict[str, Client] = {}

    def get(self, url: str, access: Access) -> Client:
        """Give the connection to *url*."""
        if access is not self._access:
            self.close()
            self._access = access
        if url not in self._clients:
            self._clients[url] = Client(url, access)
        return self._clients[url]

    def close(self) -> None:
        """Let them all go."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()


class _Connection(http.client.HTTPConnection):
    """``http.client``'s connection under one deadline, with TLS when it is given a *context*."""

    context: Any = None
    name = ""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self.deadline = Deadline()
        self.response_class = functools.partial(_Response, self.deadline)  # type: ignore[assignment]

    def connect(self) -> None:
        self.deadline.set(CONNECT_S)
        super().connect()
        if self.context is not None:
            self.sock.settimeout(self.deadline.left_s())
            self.sock = self.context.wrap_socket(self.sock, server_hostname=self.name)

    def send(self, data: Any) -> None:
        send_all(self.sock, data, self.deadline)


class _Response(http.client.HTTPResponse):
    """``http.client``'s response, read under a deadline."""

    def __init__(self, deadline: Deadline, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(TimedReader(sock, deadline.left_s))


def _send(connection: _Connection, target: str, headers: dict[str, str], body: bytes) -> None:
    """
    Send a request. A collector that refuses before it has read the body may close at once: its answer is there to be read.

    Raises:
        OSError: It cannot be sent, for another reason.
    """
    try:
        connection.request("POST", target, body, headers)
    except (BrokenPipeError, ConnectionResetError):
        return


def _is_our_certificate_refused(error: Exception) -> bool:
    """TLS 1.3 says so only at the first read, in place of an answer: the request was not looked at (RFC 8446 §4.4.2.4)."""
    return "ALERT" in str(error) and ("CERTIFICATE" in str(error) or "UNKNOWN_CA" in str(error))


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    """Give the credentials that the proxy's URL holds."""
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def is_readable(connection: socket.socket) -> bool:
    """Say whether something waits on a connection on which nothing was asked: its end, most often."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
