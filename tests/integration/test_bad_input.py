"""Bad input over real HTTP: the contract's status and error body, nothing stored, no stack trace in the log."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from typing import Any

import httpx

OTLP = {"Content-Type": "application/x-protobuf"}
LINE = b'{"msg":"paid"}\n'
_BODY_BYTES = 200_000


def _chunked(size: int) -> Iterator[bytes]:
    for _ in range(size // 10_000 + 1):
        yield b"x" * 10_000


# (what, method, path, content, headers, status, code); a callable content is made anew for its request
CASES: list[tuple[str, str, str, Any, dict[str, str], int, str]] = [
    (
        "truncated gzip",
        "POST",
        "/v1/lines",
        gzip.compress(LINE)[:-6],
        {"Content-Encoding": "gzip"},
        400,
        "bad_gzip",
    ),
    ("corrupt zstd", "POST", "/v1/lines", os.urandom(64), {"Content-Encoding": "zstd"}, 400, "bad_zstd"),
    ("unknown encoding", "POST", "/v1/lines", LINE, {"Content-Encoding": "br"}, 415, "unsupported_encoding"),
    ("empty body", "POST", "/v1/lines", b"", {}, 400, "empty_body"),
    ("declared too large", "POST", "/v1/lines", b"x" * (_BODY_BYTES + 1), {}, 413, "body_too_large"),
    ("chunked too large", "POST", "/v1/lines", lambda: _chunked(_BODY_BYTES * 3), {}, 413, "body_too_large"),
    (
        "a bomb",
        "POST",
        "/v1/lines",
        gzip.compress(bytes(8 << 20)),
        {"Content-Encoding": "gzip"},
        413,
        "ratio_too_large",
    ),
    ("bad resource", "POST", "/v1/lines", LINE, {"Fuseboard-Resource": "checkout"}, 400, "bad_header"),
    ("bad escape", "POST", "/v1/lines", LINE, {"Fuseboard-Resource": "a=%ff"}, 400, "bad_header"),
    ("bad format", "POST", "/v1/lines", LINE, {"Fuseboard-Format": "morse"}, 400, "bad_header"),
    ("wrong type", "POST", "/v1/logs", b"", {"Content-Type": "text/plain"}, 415, "unsupported_content_type"),
    ("no type", "POST", "/v1/traces", b"", {}, 415, "unsupported_content_type"),
    ("unknown ingest path", "POST", "/v1/nothing", LINE, {}, 404, "not_found"),
    ("unknown api path", "GET", "/api/v1/nothing", None, {}, 404, "not_found"),
    ("wrong method", "GET", "/v1/lines", None, {}, 405, "method_not_allowed"),
    ("wrong method, OTLP", "DELETE", "/v1/logs", None, {}, 405, "method_not_allowed"),
    ("not JSON", "POST", "/v1/breakers", b"{", {}, 400, "bad_transition"),
    (
        "not a state",
        "POST",
        "/v1/breakers",
        b'{"service":"s","breaker":"b","to":"ajar"}',
        {},
        400,
        "bad_transition",
    ),
    ("not a report", "POST", "/v1/reports", b'{"agent":""}', {}, 400, "bad_report"),
    ("from a web page", "POST", "/v1/lines", LINE, {"Origin": "http://evil.example"}, 403, "cross_site"),
    ("another host", "POST", "/v1/lines", LINE, {"Host": "evil.example"}, 403, "bad_host"),
]
OTLP_CASES: list[tuple[str, str, bytes, dict[str, str], int, bytes]] = [
    ("malformed protobuf", "/v1/logs", b"\x0a\xff\xff", {}, 400, b"bad_protobuf"),
    ("malformed protobuf", "/v1/traces", b"not protobuf", {}, 400, b"bad_protobuf"),
    (
        "truncated gzip",
        "/v1/logs",
        gzip.compress(b"\x0a\x00")[:-6],
        {"Content-Encoding": "gzip"},
        400,
        b"bad_gzip",
    ),
    ("too large", "/v1/logs", b"\x0a" * (_BODY_BYTES + 1), {}, 413, b"body_too_large"),
]


def test_bad_input_is_answered_and_stores_nothing(serve, poll) -> None:
    """Every kind of it, to one collector, which takes a good line afterwards and holds nothing else."""
    served = serve(f"body_bytes = {_BODY_BYTES}\n")
    wrong: list[str] = []
    for what, method, path, content, headers, status, code in CASES:
        with httpx.Client(base_url=served.url, timeout=30) as client:
            made = content() if callable(content) else content
            answer = client.request(method, path, content=made, headers=headers)
        try:
            error = answer.json()["error"]
            found = (answer.status_code, error["code"], set(error))
        except (ValueError, KeyError, TypeError):
            found = (answer.status_code, answer.text[:200], set())
        if found != (status, code, {"type", "code", "message", "param", "request_id"}):
            wrong.append(f"{what}: {found}")
    for what, path, content, headers, status, code in OTLP_CASES:
        with httpx.Client(base_url=served.url, timeout=30) as client:
            answer = client.post(path, content=content, headers={**OTLP, **headers})
        found = (answer.status_code, answer.headers["content-type"], code in answer.content)
        if found != (status, "application/x-protobuf", True):
            wrong.append(f"{what} at {path}: {found} {answer.content[:100]!r}")
    good = served.client.post("/v1/lines", content=LINE)
    poll(lambda: served.data("/logs", query="paid"))
    log = served.log()
    assert served.stop() == 0

    assert wrong == []
    assert good.status_code == 200
    assert served.tables("SELECT count() AS n FROM logs")[0]["n"] in (1, "1")
    assert served.tables("SELECT count() AS n FROM batches")[0]["n"] in (1, "1")
    assert "Traceback" not in log
    assert '"level":"error"' not in log.replace('": "', '":"')
