"""What becomes of the collector's answers, whatever they are."""

from __future__ import annotations

import base64

import httpx
import pytest

from dashboards.api import bearer_of, read_answer


def test_rows_cursor_and_warnings_are_read() -> None:
    """The envelope of the contract, with warnings where the search names an unknown field."""
    body = {"data": [{"a": 1}], "next_cursor": "c", "stats": {}, "warnings": ["unknown field x"]}

    section = read_answer(httpx.Response(200, json=body))

    assert section.rows == ({"a": 1},)
    assert (section.next_cursor, section.warnings, section.problem) == ("c", ("unknown field x",), None)


@pytest.mark.parametrize(
    ("response", "status", "code"),
    [
        (httpx.Response(200, text="<html>"), 502, "not_our_api"),
        (httpx.Response(200, json={"data": "rows"}), 502, "not_our_api"),
        (httpx.Response(500, text="oops"), 500, "http_error"),
        (
            httpx.Response(503, json={"error": {"code": "engine_unavailable", "message": "m"}}),
            503,
            "engine_unavailable",
        ),
        (httpx.Response(404, json=["?"]), 404, "http_error"),
        (httpx.Response(302, headers={"location": "/login"}), 302, "http_error"),
    ],
)
def test_anything_else_is_a_problem_with_words(response: httpx.Response, status: int, code: str) -> None:
    """An error object, a proxy's page or another program: said, never raised."""
    problem = read_answer(response).problem

    assert problem is not None
    assert (problem.status, problem.code) == (status, code)
    assert problem.message


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer abc", "Bearer abc"),
        ("bearer abc", "Bearer abc"),
        ("Basic " + base64.b64encode(b"x:abc").decode(), "Bearer abc"),
        ("Basic " + base64.b64encode(b"abc:").decode(), "Bearer abc"),
        ("Basic " + base64.b64encode(b"x:a\r\nb").decode(), ""),
        ("Basic ???", ""),
        ("Digest abc", ""),
        ("", ""),
    ],
)
def test_the_visitors_header_becomes_a_bearer_key(header: str, expected: str) -> None:
    """What a browser or a script sends; nothing that could split a header gets through."""
    assert bearer_of(header) == expected
