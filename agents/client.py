"""
HTTP to one collector: a kept-alive connection, and a clear word on whether a request can have been taken.

``Unreached`` is raised when no connection was made; everything that goes wrong later is ``UnknownFate``, because the
collector may have journalled the block before the answer was lost.
"""

import http.client
import select
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from agents.errors import UnknownFate, Unreached

TIMEOUT_S = 30.0  # longer than a collector's slowest fsync; shorter than what an operator takes for a hang
MAX_ANSWER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What a collector said: header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """A connection to *url*, made on first use and again after trouble; for one thread."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url
        self._parts = urlsplit(url)
        self._always = {"User-Agent": "fuseboard-agent"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._connection: http.client.HTTPConnection | None = None

    def post(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """
        Send one request and read its answer.

        Raises:
            Unreached: The collector cannot have it.
            UnknownFate: The collector may have it.
        """
        connection = self._connected()
        try:
            connection.request("POST", self._parts.path + path, body, self._always | headers)
            response = connection.getresponse()
            text = response.read(MAX_ANSWER_BYTES)
            if not response.isclosed():
                self.close()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise UnknownFate(self.url, repr(error)) from error
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, text)

    def close(self) -> None:
        """Let the connection go; the next request makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is not None and self._connection.sock is not None:
            if not is_readable(self._connection.sock):
                return self._connection
            self.close()  # the collector has closed it while it was idle; nothing was asked, so nothing is unknown
        secure = self._parts.scheme == "https"
        make = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = make(self._parts.hostname or "", self._parts.port, timeout=TIMEOUT_S)
        try:
            connection.connect()
        except OSError as error:
            raise Unreached(self.url, repr(error)) from error
        self._connection = connection
        return connection


def is_readable(connection: socket.socket) -> bool:
    """Say whether something waits on a connection on which nothing was asked: its end, most often."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
