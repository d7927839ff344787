"""
Send HTTP requests; say what came back.

The connection goes to the address that was judged (guard.py), with the name in Host and in TLS;
proxies from the environment are not used, redirects are not followed, and the whole attempt,
a dripping answer included, ends after the receiver's ``timeout_s``.
A batch for one receiver is sent over a few connections at once: its host is resolved and judged once.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property

import httpx

from collector.alerting.guard import Destination, Egress
from collector.alerting.receivers.message import Post
from collector.errors import FuseboardError

# What a receiver says about a refusal fits; what a hostile one sends does not fill our memory.
EXCERPT_BYTES = 512
# Connections to one receiver at once: a storm's thousand pages are told in seconds, and a server with a backlog of five keeps up.
CONNECTIONS = 4


@dataclass(frozen=True)
class Outcome:
    """
    What one attempt brought: a status, or an error sentence, never both absent.

    Attributes:
        status: Of HTTP, or SMTP's reply code.
        error: Why it is not delivered, or to whom of several it is not.
        retry_after_s: What the receiver asked for.
        elapsed_ms: Of the whole attempt.
        address: Connected to.
        body_excerpt: What the receiver said, at most 512 bytes.
        smtp: *status* is a reply code: 4xx is passing, 5xx is not.
    """

    status: int | None
    error: str | None
    retry_after_s: float | None
    elapsed_ms: float
    address: str | None
    body_excerpt: str
    smtp: bool = False

    @property
    def delivered(self) -> bool:
        """Whether the receiver has taken it."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class Answer:
    """The part of an HTTP answer anyone here looks at."""

    status: int
    headers: Mapping[str, str]
    excerpt: str
    address: str


class Sender:
    """
    Makes attempts; one per process, safe between threads.

    Args:
        egress: Judges the address.
    """

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Reading the certificate authorities costs 20 ms of CPU or more: once, not per attempt."""
        return httpx.create_ssl_context()

    def send(self, posts: Sequence[Post], *, allow_private: bool, timeout_s: float) -> list[Outcome]:
        """
        Make each request once, all to one host.

        Args:
            posts: At least one; scheme, host and port of the first hold for all.
            allow_private: The receiver's permission.
            timeout_s: For each whole attempt after resolving.

        Returns:
            The outcome of each; network trouble and refusals of the guard are outcomes, not exceptions.
        """
        begun = time.monotonic()
        try:
            destination = self._egress.admit(posts[0].url, allow_private=allow_private)
        except FuseboardError as error:
            return [failure(f"{error.code}: {error.message}", begun) for _ in posts]
        return asyncio.run(self._send_all(destination, posts, timeout_s))

    async def _send_all(
        self, destination: Destination, posts: Sequence[Post], timeout_s: float
    ) -> list[Outcome]:
        transport = httpx.AsyncHTTPTransport(
            verify=self._tls if destination.scheme == "https" else False,
            trust_env=False,
            limits=httpx.Limits(max_connections=None),
        )
        places = asyncio.Semaphore(CONNECTIONS)
        async with httpx.AsyncClient(
            transport=transport, timeout=timeout_s, follow_redirects=False
        ) as client:

            async def one(post: Post) -> Outcome:
                async with places:
                    return await _attempt(client, destination, post, timeout_s)

            return await asyncio.gather(*map(one, posts))


async def _attempt(
    client: httpx.AsyncClient, destination: Destination, post: Post, timeout_s: float
) -> Outcome:
    begun = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            answer = await _post_to_any(client, destination, post)
    except TimeoutError:
        return failure(f"timeout: no complete answer within {timeout_s:g} s", begun)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return failure(f"network: {type(error).__name__}: {error}", begun)
    return Outcome(
        status=answer.status,
        error=None if 200 <= answer.status < 300 else f"answered {answer.status}",
        retry_after_s=retry_after_s(answer.headers.get("retry-after"), datetime.now(UTC)),
        elapsed_ms=(time.monotonic() - begun) * 1000,
        address=answer.address,
        body_excerpt=answer.excerpt,
    )


async def _post_to_any(client: httpx.AsyncClient, destination: Destination, post: Post) -> Answer:
    """Try the judged addresses in order; only a failed connect leads to the next one."""
    for address in destination.addresses[:-1]:
        try:
            return await _post(client, address, post)
        except httpx.ConnectError:
            continue
    return await _post(client, destination.addresses[-1], post)


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (seconds or an HTTP date) as seconds from *now*; None if absent or unreadable."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())


async def _post(client: httpx.AsyncClient, address: str, post: Post) -> Answer:
    named = httpx.URL(post.url)
    request = client.build_request(
        "POST",
        named.copy_with(host=address),
        content=post.body,
        headers={"User-Agent": "Fuseboard-Webhooks/1", **post.headers, "Host": named.netloc.decode("ascii")},
        extensions={"sni_hostname": named.raw_host.decode("ascii")},
    )
    response = await client.send(request, stream=True)
    try:
        return Answer(response.status_code, response.headers, await _excerpt(response), address)
    finally:
        await response.aclose()


async def _excerpt(response: httpx.Response) -> str:
    """Read at most EXCERPT_BYTES as they came (no decompression) and close."""
    taken = b""
    async for chunk in response.aiter_raw():
        taken += chunk[: EXCERPT_BYTES - len(taken)]
        if len(taken) >= EXCERPT_BYTES:
            break
    return readable(taken)


def readable(taken: bytes) -> str:
    """Give bytes of a stranger as text a database keeps."""
    return taken.decode("utf-8", "replace").replace("\x00", "\ufffd")


def failure(error: str, begun: float) -> Outcome:
    """Give the outcome of an attempt that got no answer; *begun* is of ``time.monotonic``."""
    return Outcome(
        status=None,
        error=error,
        retry_after_s=None,
        elapsed_ms=(time.monotonic() - begun) * 1000,
        address=None,
        body_excerpt="",
    )
