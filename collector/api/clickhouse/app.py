"""The ASGI application of ``/clickhouse/``: one statement through the guard to the engine, and its answer back."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

import httpx
import structlog
from anyio import to_thread

from collector.api.clickhouse import native
from collector.api.clickhouse.answer import Answer, content_type, refuse
from collector.api.clickhouse.request import body_of, together, with_key
from collector.api.watch import QUESTION, watched
from collector.errors import FuseboardError, Gone, Malformed, MethodNotAllowed, NotFound, Unavailable
from collector.receive.asgi import Receive, Scope, Send
from collector.sql.changes import checked_format
from collector.sql.console import Console, Prepared
from collector.store.passage import Passage
from collector.store.question import Question, Questions, is_name

log = structlog.get_logger(__name__)

PREFIX = "/clickhouse"
# People share the engine with ingestion and with the board: more statements than this wait for each other, so long at most.
_AT_ONCE = 4
_WAITING = 16
_WAIT_S = 30.0
_DEFAULT_FORMAT = "TabSeparated"
_PART_BYTES = 64 << 10
_TRANSPORT = frozenset(
    {"query", "database", "default_format", "query_id", "session_id", "session_timeout", "session_check", "quota_key", "user", "password",
     "client_protocol_version", "compress", "decompress", "role"}
)  # fmt: skip
_QUERY_ID = re.compile(r"[ -~]{1,256}")
# A version's number is a few digits: int() of thousands is work.
_VERSION_DIGITS = 9


class ClickHouse:
    """
    The ASGI application.

    Args:
        console: The guard.
        passage: The way to the engine.
        authenticate: Called with the headers (lower case) of each request but ``ping``; raises.
        questions: Those of this process: a statement ends in ClickHouse when its client goes away.
    """

    def __init__(
        self,
        console: Console,
        passage: Passage,
        authenticate: Callable[[Mapping[bytes, bytes]], object],
        questions: Questions,
    ) -> None:
        self._console = console
        self._questions = questions
        self._waiting = 0
        self._passage = passage
        self._authenticate = authenticate
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        with self._questions.ask(_name(scope), self._console.limits) as question:
            await watched(self._one, scope, receive, send, question, self._questions)

    async def _one(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = Answer(send, b"gzip" in dict(scope["headers"]).get(b"accept-encoding", b""))
        try:
            await self._answer(scope, receive, answer)
        except Gone:
            log.debug("clickhouse_client_gone")
        except FuseboardError as error:
            await refuse(answer, error)
        except Exception:
            log.exception("clickhouse_interface_failed")
            if answer.begun:
                raise
            await answer.error(
                500,
                1002,
                "Code: 1002. DB::Exception: the collector failed; see its log. (UNKNOWN_EXCEPTION)",
            )

    async def aclose(self) -> None:
        """Close the way to the engine."""
        await self._passage.aclose()

    async def _answer(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        path = scope["path"].removeprefix(PREFIX).strip("/")
        asked = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        if path == "ping" or (not path and scope["method"] == "GET" and not asked.get("query")):
            await answer.whole(200, b"Ok.\n", {"content-type": "text/html; charset=UTF-8"})
            return
        if path:
            raise NotFound(
                "not_found", f"nothing is served at {scope['path'][:200]!r}; statements go to {PREFIX}/"
            )
        if scope["method"] not in {"GET", "POST"}:
            raise MethodNotAllowed("method_not_allowed", f"{PREFIX}/ takes GET and POST")
        answer.framed = asked.get("compress") == "1"
        headers = dict(scope["headers"])
        self._authenticate(with_key(headers, asked))
        asked = together(headers, asked, await body_of(headers, asked, receive))
        answer.framed = asked.get("compress") == "1"
        await self._run(asked, headers, answer, scope[QUESTION])

    async def _run(
        self, asked: dict[str, str], headers: Mapping[bytes, bytes], answer: Answer, question: Question
    ) -> None:
        changes = {k: v for k, v in asked.items() if k not in _TRANSPORT and not k.startswith("param_")}
        database = asked.get("database") or headers.get(b"x-clickhouse-database", b"").decode("latin-1")
        wanted = asked.get("default_format") or headers.get(b"x-clickhouse-format", b"").decode("latin-1")
        version = _version(asked)
        async with self._turn():
            prepared = await to_thread.run_sync(
                self._console.prepare, asked.get("query", ""), database, changes
            )
            form = prepared.format or checked_format(wanted or _DEFAULT_FORMAT)
            params = _params(prepared, asked, form)
            query_id = _query_id(asked)
            made_here = form.lower() == "native" and version > 0 and self._passage.embedded
            with question.statement() as (identifier, _):
                params["query_id"] = identifier
                async with self._passage.run(prepared.text, params) as response:
                    await _pass_on(response, form, query_id, answer, version if made_here else 0)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._at_once.locked() and self._waiting >= _WAITING:
            raise Unavailable("sql_busy", f"{_AT_ONCE} statements run and {self._waiting} wait already")
        self._waiting += 1
        try:
            await asyncio.wait_for(self._at_once.acquire(), _WAIT_S)
        except TimeoutError as error:
            raise Unavailable("sql_busy", f"{_AT_ONCE} statements run already and none ended within {_WAIT_S:g} s") from error  # fmt: skip
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._at_once.release()


async def _pass_on(response: httpx.Response, form: str, query_id: str, answer: Answer, version: int) -> None:
    """Send the engine's answer on as it comes; one that is made Native of *version* here is held whole, some bytes a row."""
    if response.status_code != 200:
        await response.aread()
        code = response.headers.get("x-clickhouse-exception-code", "1002")
        await answer.error(
            response.status_code, int(code), response.text, {"X-ClickHouse-Query-Id": query_id}
        )
        return
    made = await asyncio.to_thread(native.as_of, await response.aread(), version) if version else None
    kept = ("x-clickhouse-summary", "x-clickhouse-timezone", "x-clickhouse-exception-tag")
    headers = {name: response.headers[name] for name in kept if name in response.headers}
    headers |= {"X-ClickHouse-Query-Id": query_id, "X-ClickHouse-Format": form, "content-type": content_type(form)}  # fmt: skip
    await answer.begin(200, headers)
    if made is None:
        async for chunk in response.aiter_bytes(_PART_BYTES):
            await answer.part(chunk)
    else:
        for start in range(0, len(made), _PART_BYTES):
            await answer.part(made[start : start + _PART_BYTES])
    await answer.end()


def _name(scope: Scope) -> str:
    """Give the client's name for its question; any other than we take is no name, for ClickHouse takes any."""
    asked = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    sent = dict(scope["headers"]).get(b"x-query-id", b"").decode("latin-1") or asked.get("query_id", "")
    return sent if is_name(sent) else ""


def _params(prepared: Prepared, asked: Mapping[str, str], form: str) -> dict[str, str]:
    bound = {name: value for name, value in asked.items() if name.startswith("param_")}
    passed = {name: asked[name] for name in ("client_protocol_version",) if name in asked}
    return {**prepared.settings, **bound, **passed, "database": prepared.database, "default_format": form}


def _query_id(asked: Mapping[str, str]) -> str:
    """Return the client's id of its statement; one that cannot stand in a header is answered under another."""
    told = asked.get("query_id", "")
    return told if _QUERY_ID.fullmatch(told) else str(uuid.uuid4())


def _version(asked: Mapping[str, str]) -> int:
    told = asked.get("client_protocol_version") or "0"
    if not (told.isascii() and told.isdigit() and len(told) <= _VERSION_DIGITS):
        raise Malformed(
            "bad_parameter",
            f"client_protocol_version={told[:40]!r} is not a number",
            "client_protocol_version",
        )
    return int(told)
