"""
One HTTP GET that ends in time: connect, handshake, headers and body share one deadline, and the body has a bound.

http.client's timeout is per read, so a server that drips a byte a second would hold it for ever; here each read gets what is
left of the deadline. Only the look-up of a name is the resolver's to bound (``timeout`` in resolv.conf).

Redirects are followed to the same scheme, host and port only (``/metrics`` to ``/metrics/`` is common): credentials go nowhere
else, and an answer of somebody else is not the target's.
"""

import contextlib
import http.client
import io
import socket
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import SplitResult, urljoin, urlsplit

from agents.deadline import Deadline, TimedReader, send_all

if TYPE_CHECKING:
    import ssl

MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GZIP = 16 + zlib.MAX_WBITS  # zlib's way to say that a gzip header is expected


class HttpError(Exception):
    """There was no usable answer; *code* is a bounded slug, the text says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, header names in lower case, and the body as it came, at most ``max_bytes`` + 1."""

    status: int
    headers: dict[str, str]
    body: bytes


def get(
    url: str,
    *,
    timeout_s: float,
    max_bytes: int,
    headers: Mapping[str, str],
    context: "ssl.SSLContext | None" = None,
) -> Answer:
    """
    Fetch *url*; a body that is longer than *max_bytes* is cut one byte later, so that the caller can tell.

    Args:
        url: http or https.
        timeout_s: For everything together, redirects too.
        max_bytes: On the wire.
        headers: Of the request, beside Host and Connection.
        context: For https; None = the system's authorities.

    Raises:
        HttpError: ``timeout``, ``dns``, ``refused``, ``unreachable``, ``tls``, ``not_http``, ``cut``, ``redirect_refused`` or
            ``too_many_redirects``.
    """
    deadline = Deadline()
    deadline.set(timeout_s)
    for _ in range(MAX_REDIRECTS + 1):
        with translated(url):
            answer = _get_one(urlsplit(url), deadline, max_bytes, headers, context)
        if answer.status not in REDIRECTS or "location" not in answer.headers:
            return answer
        url = _followed(url, answer.headers["location"])
    raise HttpError("too_many_redirects", f"{url} redirects more than {MAX_REDIRECTS} times")


class translated:  # noqa: N801 - a context manager, read as a verb
    """Turn what sockets, TLS and http.client raise about *url* into ``HttpError``."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Translate; ``HttpError`` itself passes."""
        if isinstance(error, OSError | http.client.HTTPException | ValueError):
            raise HttpError(_code(error), f"{self._url}: {error or type(error).__name__}") from error


def connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """
    Connect to the first address of *host* that answers.

    Raises:
        OSError: None does in time.
    """
    failed: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        found = socket.socket(family, kind, protocol)
        try:
            found.settimeout(deadline.left_s())
            found.connect(address)
        except OSError as error:
            found.close()
            failed = error
        else:
            return found
    raise failed


def plain(answer: Answer, max_bytes: int) -> bytes:
    """
    Undo the encoding of a body, gzip or none; what is longer than *max_bytes* is cut one byte later.

    Raises:
        HttpError: ``bad_encoding``, or ``cut``.
    """
    encoding = answer.headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"", "identity"} or not answer.body or len(answer.body) > max_bytes:
        return answer.body
    if encoding not in {"gzip", "x-gzip"}:
        raise HttpError(
            "bad_encoding", f"the answer is encoded as {encoding[:40]!r}, which was not asked for"
        )
    return _unpacked(answer.body, max_bytes)


def port_of(parts: SplitResult) -> int:
    """Give the port of a URL, its scheme's where none is written."""
    return parts.port or (443 if parts.scheme == "https" else 80)


def _get_one(
    parts: SplitResult,
    deadline: Deadline,
    max_bytes: int,
    headers: Mapping[str, str],
    context: "ssl.SSLContext | None",
) -> Answer:
    raw = connect(parts.hostname or "", port_of(parts), deadline)
    try:
        if parts.scheme == "https":
            raw = _secured(raw, parts.hostname or "", deadline, context)
        connection = http.client.HTTPConnection(parts.hostname or "", port_of(parts))
        connection.sock = cast("socket.socket", _Timed(raw, deadline))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        always = {"Host": parts.netloc.rpartition("@")[2], "Connection": "close"}
        connection.request("GET", target, headers=always | dict(headers))
        with contextlib.closing(connection.getresponse()) as response:
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, _body(response, max_bytes))
    finally:
        raw.close()


def _secured(
    raw: socket.socket, host: str, deadline: Deadline, context: "ssl.SSLContext | None"
) -> socket.socket:
    import ssl

    raw.settimeout(deadline.left_s())
    return (context or ssl.create_default_context()).wrap_socket(raw, server_hostname=host)


def _body(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    """Read the body; of a stream of events, which has no end, one round."""
    if response.headers.get_content_type() == "text/event-stream":
        from agents.sources.hystrix_stream import one_round

        return one_round(response.readline, max_bytes)
    body = response.read(max_bytes + 1)
    if len(body) <= max_bytes and response.length:
        raise HttpError("cut", f"the answer ended {response.length} bytes early")
    return body


def _unpacked(body: bytes, max_bytes: int) -> bytes:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        plain = unpacker.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise HttpError("bad_encoding", f"the answer is no gzip: {error}") from error
    if not unpacker.eof and len(plain) <= max_bytes:
        raise HttpError("cut", "the gzip answer ends early")
    return plain


def _followed(url: str, location: str) -> str:
    there = urljoin(url, location)
    before, after = urlsplit(url), urlsplit(there)
    try:
        same = (before.scheme, before.hostname, port_of(before)) == (
            after.scheme,
            after.hostname,
            port_of(after),
        )
    except ValueError:
        same = False
    if not same:
        raise HttpError("redirect_refused", f"{url} redirects to {there[:200]!r}, which is another place")
    return there


def _code(error: OSError | http.client.HTTPException | ValueError) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, socket.gaierror):
        return "dns"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if type(error).__module__ == "ssl":
        return "tls"
    if isinstance(error, http.client.IncompleteRead | http.client.RemoteDisconnected):
        return "cut"
    return "unreachable" if isinstance(error, OSError) else "not_http"


class _Timed:
    """What http.client wants of a socket, under a deadline; closing is its owner's."""

    def __init__(self, raw: socket.socket, deadline: Deadline) -> None:
        self._raw = raw
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        send_all(self._raw, data, self._deadline)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(TimedReader(self._raw, self._deadline.left_s))

    def close(self) -> None:
        """Leave it open: http.client closes before it has read the body."""
