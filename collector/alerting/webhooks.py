"""
Sign and send one webhook; say what came back. Standard Webhooks, version 1.

::

    webhook-id         stable across retries: the receiver's key for "seen already"
    webhook-timestamp  seconds since the epoch, of this attempt
    webhook-signature  v1,<base64 of HMAC-SHA256(secret, "<id>.<timestamp>.<body>")>

The connection goes to the address that was judged (guard.py), with the name in Host and in TLS;
proxies from the environment are not used, redirects are not followed, and the whole attempt,
a dripping answer included, ends after the receiver's ``timeout_s``.
Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property

import httpx

from collector.alerting.guard import Destination, Egress
from collector.errors import FuseboardError, Malformed

SECRET_PREFIX = "whsec_"  # noqa: S105 - the published prefix, not a secret
# What a receiver says about a refusal fits; what a hostile one sends does not fill our memory.
EXCERPT_BYTES = 512


@dataclass(frozen=True)
class Outcome:
    """What one attempt brought: a status, or an error sentence, never both absent."""

    status: int | None
    error: str | None
    retry_after_s: float | None
    elapsed_ms: float
    address: str | None
    body_excerpt: str


@dataclass(frozen=True)
class Answer:
    """The part of an HTTP answer anyone here looks at."""

    status: int
    headers: Mapping[str, str]
    excerpt: str
    address: str


def decode_secret(secret: str) -> bytes:
    """
    Give the signing key of ``whsec_<base64>``.

    Raises:
        Malformed: No prefix, not base64, or not 24 to 64 bytes (``bad_secret``); never quotes it.
    """
    if not secret.startswith(SECRET_PREFIX):
        raise Malformed("bad_secret", f"a webhook secret starts with {SECRET_PREFIX!r}", "secret")
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("bad_secret", f"after {SECRET_PREFIX!r} comes base64: {error}", "secret") from error
    if not 24 <= len(key) <= 64:
        raise Malformed(
            "bad_secret", f"the secret holds {len(key)} bytes: 24 to 64 random bytes are asked for", "secret"
        )
    return key


def sign(secret: str, webhook_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Give the three Standard Webhooks headers for *body* sent at *at*."""
    timestamp = str(int(at.timestamp()))
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    digest = hmac.new(decode_secret(secret), signed, hashlib.sha256).digest()
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


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

    def send(
        self, url: str, headers: Mapping[str, str], body: bytes, *, allow_private: bool, timeout_s: float
    ) -> Outcome:
        """
        POST *body* once.

        Args:
            url: The receiver's.
            headers: From :func:`sign`.
            body: JSON bytes, the same on every attempt.
            allow_private: The receiver's permission.
            timeout_s: For the whole attempt after resolving.

        Returns:
            The outcome; network trouble and refusals of the guard are outcomes, not exceptions.
        """
        begun = time.monotonic()
        try:
            destination = self._egress.admit(url, allow_private=allow_private)
            answer = asyncio.run(self._post_within(destination, headers, body, timeout_s))
        except FuseboardError as error:
            return _failure(f"{error.code}: {error.message}", begun)
        except TimeoutError:
            return _failure(f"timeout: no complete answer within {timeout_s:g} s", begun)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return _failure(f"network: {type(error).__name__}: {error}", begun)
        return Outcome(
            status=answer.status,
            error=None if 200 <= answer.status < 300 else f"answered {answer.status}",
            retry_after_s=retry_after_s(answer.headers.get("retry-after"), datetime.now(UTC)),
            elapsed_ms=(time.monotonic() - begun) * 1000,
            address=answer.address,
            body_excerpt=answer.excerpt,
        )

    async def _post_within(
        self, destination: Destination, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Answer:
        """Try the judged addresses in order; only a failed connect leads to the next one."""
        transport = httpx.AsyncHTTPTransport(
            verify=self._tls if destination.scheme == "https" else False, trust_env=False
        )
        async with (
            asyncio.timeout(timeout_s),
            httpx.AsyncClient(transport=transport, timeout=timeout_s, follow_redirects=False) as client,
        ):
            for address in destination.addresses[:-1]:
                try:
                    return await _post(client, destination, address, headers, body)
                except httpx.ConnectError:
                    continue
            return await _post(client, destination, destination.addresses[-1], headers, body)


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


async def _post(
    client: httpx.AsyncClient, destination: Destination, address: str, headers: Mapping[str, str], body: bytes
) -> Answer:
    named = httpx.URL(destination.url)
    request = client.build_request(
        "POST",
        named.copy_with(host=address),
        content=body,
        headers={
            **headers,
            "Host": named.netloc.decode("ascii"),
            "Content-Type": "application/json",
            "User-Agent": "Fuseboard-Webhooks/1",
        },
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
    return taken.decode("utf-8", "replace").replace("\x00", "\ufffd")


def _failure(error: str, begun: float) -> Outcome:
    return Outcome(
        status=None,
        error=error,
        retry_after_s=None,
        elapsed_ms=(time.monotonic() - begun) * 1000,
        address=None,
        body_excerpt="",
    )
