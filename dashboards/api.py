"""
The collector's HTTP API, as the pages ask it.

The only module that talks to the collector. A call answers with a `Section`: rows, or a `Problem`
that says what failed; it never raises for what the collector or the network does, so one failing
part never takes the page with it.

Who asks: the caller's own ``Authorization`` is passed on (Basic, which browsers can ask a person
for, becomes ``Bearer <password>``); without one the configured key speaks for the visitor.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import httpx

BASE = "/api/v1"
TIMEOUT_S = 40.0
"""Beyond the collector's own deadline for a question (``query_timeout_s``, 30 s), whose refusal says what to narrow; meanwhile the page before says how far it is."""

_NAME = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")

Row = Mapping[str, Any]
"""One object of an answer's ``data``, as contract.md shapes it."""


@dataclass(frozen=True)
class Problem:
    """Why a section has no data: shown in its place, with the collector's own words."""

    status: int
    code: str
    message: str
    param: str = ""


@dataclass(frozen=True)
class Section:
    """The answer of one API call: rows, or the problem that stood in its way."""

    rows: tuple[Row, ...] = ()
    problem: Problem | None = None
    next_cursor: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def first(self) -> Row | None:
        """The only row of an answer about one resource; None if there is none."""
        return self.rows[0] if self.rows else None


@dataclass(frozen=True)
class Api:
    """
    Where the collector is and who asks when the visitor brings no key.

    Args:
        client: With a base URL, or with an ``ASGITransport`` of the collector in this process.
        key: Read key of this installation; "" sends none.
        timeout_s: Longest wait for one answer.
    """

    client: httpx.AsyncClient
    key: str = ""
    timeout_s: float = TIMEOUT_S

    def of_caller(self, authorization: str) -> CallerApi:
        """The API as the visitor with this ``Authorization`` header ("" if none) may see it."""
        bearer = bearer_of(authorization) or (f"Bearer {self.key}" if self.key else "")
        return CallerApi(self, {"authorization": bearer} if bearer else {})


@dataclass(frozen=True)
class CallerApi:
    """`Api` with the identity of one visitor."""

    api: Api
    headers: Mapping[str, str]

    def named(self, name: str) -> CallerApi:
        """The same, its questions called *name* (`X-Query-Id`): by that ``queries/<name>`` says how far they are. What cannot be a name is none."""
        return replace(self, headers={**self.headers, "x-query-id": name}) if _NAME.match(name) else self

    def of(self, visitor: str) -> CallerApi:
        """The same, with the addresses a request came through: the API counts wrong sign-ins by them."""
        return replace(self, headers={**self.headers, "x-forwarded-for": visitor}) if visitor else self

    async def get(self, *segments: str, params: Mapping[str, str] | None = None) -> Section:
        """
        Ask for ``/api/v1/<segments…>``.

        Args:
            segments: Path parts; quoted here.
            params: Query parameters; empty values are left out.
        """
        return await self._get(read_answer, segments, params)

    async def prometheus(self, *segments: str, params: Mapping[str, str] | None = None) -> Section:
        """
        Ask Prometheus' API, ``/api/v1/metrics/<segments…>``.

        Returns:
            Rows: the objects of the result; a text as ``{"value": text}``; of an object of lists (``metadata``) the first of each, with its ``name``.
        """
        return await self._get(read_prometheus, ("metrics", *segments), params)

    async def _get(
        self,
        read: Callable[[httpx.Response], Section],
        segments: Sequence[str],
        params: Mapping[str, str] | None,
    ) -> Section:
        path = "/".join([BASE, *(quote(segment, safe="") for segment in segments)])
        asked = {name: value for name, value in (params or {}).items() if value != ""}
        try:
            async with asyncio.timeout(self.api.timeout_s):  # httpx's own does not reach through ASGI
                response = await self.api.client.get(path, params=asked, headers=self.headers, timeout=None)
        except TimeoutError:
            text = f"The collector did not answer within {self.api.timeout_s:g} s. Try a shorter time range."
            return Section(problem=Problem(504, "timeout", text))
        except httpx.HTTPError as error:
            text = f"The collector cannot be reached: {error or type(error).__name__}"
            return Section(problem=Problem(502, "unreachable", text))
        except Exception:  # noqa: BLE001 -- served together, a crash of the API arrives here through ASGI
            text = "The API broke on this question; the collector's log has the details."
            return Section(problem=Problem(500, "api_broke", text))
        return read(response)

    async def change(self, method: str, *segments: str, content: Mapping[str, Any] | None = None) -> Section:
        """Send ``/api/v1/<segments…>`` something that changes it; *content* is its JSON body."""
        path = "/".join([BASE, *(quote(segment, safe="") for segment in segments)])
        try:
            async with asyncio.timeout(self.api.timeout_s):
                response = await self.api.client.request(
                    method, path, json=content, headers=self.headers, timeout=None
                )
        except TimeoutError:
            text = f"The collector did not answer within {self.api.timeout_s:g} s; look whether it happened."
            return Section(problem=Problem(504, "timeout", text))
        except httpx.HTTPError as error:
            text = f"The collector cannot be reached: {error or type(error).__name__}"
            return Section(problem=Problem(502, "unreachable", text))
        return read_answer(response)

    async def stream(
        self, *segments: str, params: Mapping[str, str], last_event_id: str = ""
    ) -> httpx.Response:
        """
        Ask for ``/api/v1/<segments…>`` as a stream; whoever gets it closes it.

        Raises:
            httpx.HTTPError: No answer came.
        """
        path = "/".join([BASE, *(quote(segment, safe="") for segment in segments)])
        asked = {name: value for name, value in params.items() if value != ""}
        headers = {**self.headers, **({"last-event-id": last_event_id} if last_event_id else {})}
        request = self.api.client.build_request("GET", path, params=asked, headers=headers, timeout=None)
        return await self.api.client.send(request, stream=True)


def read_answer(response: httpx.Response) -> Section:
    """Turn an API response into rows or a problem, whatever its body is."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not response.is_success:
        return Section(problem=_problem(response.status_code, body))
    if not isinstance(body, dict) or not isinstance(body.get("data"), list):
        text = "The collector answered with something that is not this API. Is the URL right?"
        return Section(problem=Problem(502, "not_our_api", text))
    return Section(
        rows=tuple(row for row in body["data"] if isinstance(row, dict)),
        next_cursor=str(body.get("next_cursor") or ""),
        warnings=_warnings(body),
    )


def read_prometheus(response: httpx.Response) -> Section:
    """Turn an answer of Prometheus' API into rows or a problem."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or body.get("status") != "success":
        said = body if isinstance(body, dict) else {}
        if "error" in said and isinstance(said["error"], str):
            return Section(
                problem=Problem(response.status_code, str(said.get("errorType", "")), said["error"])
            )
        return Section(problem=_problem(response.status_code, body))
    data = body.get("data")
    if isinstance(data, dict) and "result" in data:
        data = data["result"]
    if isinstance(data, dict):
        data = [
            {**found[0], "name": name}
            for name, found in data.items()
            if isinstance(found, list) and found and isinstance(found[0], dict)
        ]
    rows = (
        [row if isinstance(row, dict) else {"value": row} for row in data] if isinstance(data, list) else []
    )
    return Section(rows=tuple(rows), warnings=_warnings(body))


def bearer_of(authorization: str) -> str:
    """
    Give the ``Bearer`` form of a visitor's ``Authorization``; "" if it has no usable key.

    Basic carries the key as its password, because that is what a browser's prompt can send.
    """
    scheme, _, credentials = authorization.strip().partition(" ")
    if scheme.lower() == "bearer" and credentials:
        return f"Bearer {credentials.strip()}"
    if scheme.lower() != "basic":
        return ""
    try:
        decoded = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    user, _, password = decoded.partition(":")
    key = password or user
    return f"Bearer {key}" if key.isascii() and key.isprintable() and key else ""


def _problem(status: int, body: object) -> Problem:
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return Problem(status, "http_error", f"The collector answered {status} without saying why.")
    return Problem(
        status, str(error.get("code", "")), str(error.get("message", "")), str(error.get("param") or "")
    )


def _warnings(body: Mapping[str, Any]) -> tuple[str, ...]:
    stats = body.get("stats")
    found = body.get("warnings") or (stats.get("warnings") if isinstance(stats, dict) else None) or ()
    return tuple(str(item) for item in found) if isinstance(found, Sequence) else ()
