"""Redaction: what goes, what stays, and that lines stay lines."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.processors import Tally, chain, changing
from agents.processors.redact import PRESETS, cards, emails, luhn, tokens


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"password":"hunter2222","x":1}', b'{"password":"[token]","x":1}'),
        (b"DB_PASSWORD=hunter2222 next", b"DB_PASSWORD=[token] next"),
        (b"Authorization: Bearer abcdefghijkl.mnop x", b"Authorization: [token] x"),
        (b"sent bearer abcdefghijkl to", b"sent bearer [token] to"),
        (b"see eyJhbGciOiJIUzI1.eyJzdWIiOiIx.abc ok", b"see [token] ok"),
        (b"id AKIAABCDEFGHIJKLMNOP.", b"id [token]."),
        (b"gh ghp_0123456789012345678901234567890123 end", b"gh [token] end"),
        (b"xoxb-1234567890-abc and sk_live_0123456789abcdef", b"[token] and [token]"),
        (b'"api_key" : "k-123456"', b'"api_key" : "[token]"'),
        (b"the token expired; basic rules apply", b"the token expired; basic rules apply"),
        (b"tokens_used=[]", b"tokens_used=[]"),
    ],
)
def test_tokens(before, after):
    """Values beside secret-like keys and tokens of known shapes go; words about them stay."""
    assert tokens(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"4111111111111111", b"[card]"),
        (b"pan=4111 1111 1111 1111;", b"pan=[card];"),
        (b"3782-822463-10005", b"[card]"),
        (b"4111111111111112", b"4111111111111112"),
        (b"1790000000000000000", b"1790000000000000000"),
        (b"trace ab4111111111111111cd", b"trace ab4111111111111111cd"),
    ],
)
def test_cards(before, after):
    """A number that begins like a card and passes Luhn's check goes; time stamps and ids stay."""
    assert cards(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"to bob.smith+x@mail.example.co.uk, now", b"to [email], now"),
        (b"a@b is none, @handle neither", b"a@b is none, @handle neither"),
        (b"x@example.com y@example.org", b"[email] [email]"),
    ],
)
def test_emails(before, after):
    """Addresses go; a lone @ stays."""
    assert emails(before) == after


def test_luhn_known_numbers():
    """The standard's own kind of examples."""
    assert luhn(b"79927398713")
    assert not luhn(b"79927398710")


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_lines_stay_lines(parts):
    """Whatever the bytes: the number of line ends does not change, and a second pass changes nothing."""
    body = b"\n".join([*parts, b"password=secret123", b"bob@example.com"])
    process = chain([changing(preset) for preset in PRESETS.values()])

    once = process(body, Tally())

    assert once.count(b"\n") == body.count(b"\n")
    assert b"secret123" not in once
    assert process(once, Tally()) == once


def test_hostile_lines_take_linear_time():
    """A megabyte of the worst kind of near matches is done within seconds."""
    process = chain([changing(preset) for preset in PRESETS.values()])
    began = time.process_time()

    for near in (
        b"a" * 1_000_000,
        b"a@" * 500_000,
        b"1234-" * 200_000,
        b"password" * 125_000,
        b"eyJ" * 333_333,
    ):
        process(near, Tally())

    assert time.process_time() - began < 10
    assert re.search(rb"\[email\]", process(b"a" * 100_000 + b"@example.com", Tally()))
