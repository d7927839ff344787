"""Requests to a collector: rows, events, or `TerminalError` with a sentence that says what to do."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector.terminal.address import Address
from collector.terminal.output import Row, TerminalError
from collector.terminal.plain import caret, safe

if TYPE_CHECKING:
    import httpx

_CONNECT_S = 5.0
# The collector ends a question by its own deadline, which is ten minutes at most.
_ANSWER_S = 660.0
# A tail says something every ten seconds.
_SILENCE_S = 35.0
_MESSAGE_CHARS = 1500
# ClickHouse counts bytes from one.
_SQL_POSITION = re.compile(r"failed at position (\d+)")
# Prometheus' form of an error has no place for it but the sentence.
_PROMQL_POSITION = re.compile(r"syntax error at position (\d+)")


@dataclass(frozen=True, slots=True)
class Found:
    """
    An answer.

    Attributes:
        rows: Its ``data``.
        cursor: Of its next page; "" = this was the last.
        warnings: What it says besides.
    """

    rows: list[dict[str, Any]]
    cursor: str = ""
    warnings: tuple[str, ...] = ()


class Remote:
    """
    One collector, asked with one key.

    Args:
        where: The collector.
        answer_s: Seconds that an answer is waited for.
    """

    def __init__(self, where: Address, answer_s: float = _ANSWER_S) -> None:
        import httpx

        self._where = where
        self._answer_s = answer_s
        headers = {"authorization": f"Bearer {where.key}"} if where.key else {}
        # one name for all that this command asks: what its progress is asked by
        self.query_id = f"terminal-{secrets.token_hex(8)}"
        self._http = httpx.Client(
            base_url=where.url,
            headers={"user-agent": "fuseboard-terminal", "x-query-id": self.query_id, **headers},
            timeout=httpx.Timeout(answer_s, connect=_CONNECT_S),
        )

    def get(self, path: str, params: Mapping[str, object], text: str = "") -> Found:
        """
        Ask ``/api/v1<path>``.

        Args:
            path: From ``/`` on.
            params: Empty values are left out.
            text: What the person typed: an error's position is one in it.

        Raises:
            TerminalError: No collector, no answer, or one that is an error.
        """
        given = {name: str(value) for name, value in params.items() if value not in ("", None)}
        return _found(self._answered("GET", f"/api/v1{path}", text, params=given))

    def sql(self, statement: str) -> Found:
        """Run a statement by ``POST /api/v1/sql``."""
        return _found(self._answered("POST", "/api/v1/sql", statement, json={"query": statement}))

    def send(self, method: str, path: str, fields: Mapping[str, object] | None = None) -> Found:
        """
        Change something at ``/api/v1<path>``.

        Raises:
            TerminalError: As of `get`.
        """
        return _found(self._answered(method, f"/api/v1{path}", "", json=fields))

    def prometheus(self, path: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Ask ``/prometheus/api/v1<path>``; its ``data``."""
        answer = self._answered("POST", f"/prometheus/api/v1{path}", form.get("query", ""), data=dict(form))
        body = _json(answer)
        data = body.get("data")
        if not isinstance(data, dict):
            raise self._not_ours()
        return {**data, "warnings": [*body.get("warnings", ()), *body.get("infos", ())]}

    def metric_names(self) -> list[str]:
        """Return the names of all metrics."""
        data = _json(self._answered("GET", "/prometheus/api/v1/label/__name__/values", "")).get("data")
        return [str(name) for name in data] if isinstance(data, list) else []

    def progress(self) -> Row | None:
        """Say how far the question is that another thread waits for; ``None``: nothing is known."""
        import httpx

        try:
            answer = self._http.get(f"/api/v1/queries/{self.query_id}", timeout=2, headers={"x-query-id": ""})
            rows = answer.json()["data"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError, RuntimeError):  # closed under a poll
            return None
        return rows[0] if rows and isinstance(rows[0], dict) else None

    @contextmanager
    def events(self, params: Mapping[str, object], last_id: str, text: str) -> Iterator[Iterator[str]]:
        """
        Open ``/api/v1/logs/tail``; yields its lines.

        Raises:
            Interruption: The connection broke off, or did not come about.
            TerminalError: The collector refuses.
        """
        import httpx

        given = {name: str(value) for name, value in params.items() if value not in ("", None)}
        headers = {"accept": "text/event-stream", **({"last-event-id": last_id} if last_id else {})}
        timeout = httpx.Timeout(_SILENCE_S, connect=_CONNECT_S)
        try:
            with self._http.stream("GET", "/api/v1/logs/tail", params=given, headers=headers, timeout=timeout) as answer:  # fmt: skip
                if answer.status_code in {429, 502, 503, 504} and last_id:
                    raise Interruption(f"the collector answers {answer.status_code}")
                if not answer.is_success:
                    answer.read()
                    raise self._refused(answer, text)
                yield answer.iter_lines()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Interruption(self._away(error)) from error

    def close(self) -> None:
        """Close the connections: what runs for them in ClickHouse ends."""
        self._http.close()

    def _answered(self, method: str, path: str, text: str, **more: Any) -> httpx.Response:
        import httpx

        try:
            answer = self._http.request(method, path, **more)
        except httpx.ReadTimeout as error:
            raise TerminalError(f"no answer within {self._answer_s:g} s; narrow the question") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TerminalError(self._away(error)) from error
        if not answer.is_success:
            raise self._refused(answer, text)
        return answer

    def _away(self, error: Exception) -> str:
        said = safe(str(error) or type(error).__name__)
        return f"no collector answers at {safe(self._where.url)} ({said}); is it running? --url or FUSEBOARD_URL names another"

    def _refused(self, answer: httpx.Response, text: str) -> TerminalError:
        try:
            body = answer.json()
        except ValueError:
            body = None
        if isinstance(body, dict) and isinstance(body.get("error"), dict):
            return TerminalError(_sentence(answer, body["error"], text))
        if isinstance(body, dict) and body.get("status") == "error":  # Prometheus' form
            return TerminalError(_sentence(answer, {"code": body.get("errorType"), "message": body.get("error")}, text))  # fmt: skip
        if answer.is_redirect:
            return TerminalError(f"{safe(self._where.url)} sends on to {safe(answer.headers.get('location'))}; is --url right?")  # fmt: skip
        return self._not_ours(answer.status_code)

    def _not_ours(self, status: int = 200) -> TerminalError:
        return TerminalError(
            f"{safe(self._where.url)} answers {status}, but not as a Fuseboard collector does; is --url right?"
        )


class Interruption(Exception):
    """A stream broke off; it may be resumed."""


def _found(answer: httpx.Response) -> Found:
    body = _json(answer)
    rows = body.get("data")
    if not isinstance(rows, list):
        raise TerminalError("the answer is not one of a Fuseboard collector's API; is --url right?")
    warnings = body.get("warnings")
    return Found(
        [row for row in rows if isinstance(row, dict)],
        str(body.get("next_cursor") or ""),
        tuple(safe(each) for each in warnings) if isinstance(warnings, list) else (),
    )


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise TerminalError(
            "the answer is not JSON, so not one of a Fuseboard collector's API; is --url right?"
        )
    return body


def _advice(answer: httpx.Response) -> str:
    after = answer.headers.get("retry-after", "")
    match answer.status_code:
        case 401:
            return " (--key or FUSEBOARD_KEY)"
        case 429 | 503 if after.isdigit():
            return f" (again in {after} s)"
    return ""


def _sentence(answer: httpx.Response, error: Mapping[str, Any], text: str) -> str:
    message = safe(error.get("message") or "no reason was given")[:_MESSAGE_CHARS]
    sentence = f"{safe(error.get('code') or answer.status_code)}: {message}{_advice(answer)}"
    position = _position(error, message, text)
    return f"{sentence}\n{caret(text, position)}" if position is not None and text else sentence


def _position(error: Mapping[str, Any], message: str, text: str) -> int | None:
    position = error.get("position")
    if isinstance(position, int):
        return position
    if error.get("code") == "bad_data":
        told = _PROMQL_POSITION.search(message)
        return int(told[1]) if told else None
    found = _SQL_POSITION.search(message) if error.get("code") == "sql_syntax" else None
    if found is None:
        return None
    return len(text.encode()[: max(0, int(found[1]) - 1)].decode(errors="ignore"))
