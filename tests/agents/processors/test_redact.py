"""Redaction: what goes, what stays, that lines stay lines, and that the count is exact."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.processors import Redactions, Tally
from agents.processors.redact import redaction
from agents.processors.shapes import SHAPES, luhn
from agents.settings_values import RedactSettings

ALL = ("tokens", "cards", "emails", "jwts", "cloud_keys")


def redacted(body, presets=(), keys=(), patterns=()):
    """Apply redaction; (what is left, replacements by kind)."""
    made = Redactions()
    for process in redaction(RedactSettings(presets, keys, patterns), made):
        body = process(body, Tally())
    return body, made.made()


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
        (b"AccessKey=abcdef1234 access: granted", b"AccessKey=[token] access: granted"),
        (b'{"log":"{\\"password\\":\\"hunter22\\"}\\n"}', b'{"log":"{\\"password\\":\\"[token]\\"}\\n"}'),
        (b"the token expired; basic rules apply", b"the token expired; basic rules apply"),
        (b"tokens_used=[]", b"tokens_used=[]"),
    ],
)
def test_tokens(before, after):
    """Values beside secret-like keys and tokens of known shapes go; words about them stay."""
    assert redacted(before, ("tokens",))[0] == after


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
    assert redacted(before, ("cards",))[0] == after


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
    assert redacted(before, ("emails",))[0] == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"id ASIAABCDEFGHIJKLMNOP!", b"id [cloud_key]!"),
        (b"aws_secret_access_key = " + b"Aa1/" * 10, b"aws_secret_access_key = [cloud_key]"),
        (b'{"SecretAccessKey":"' + b"Bb2+" * 10 + b'"}', b'{"SecretAccessKey":"[cloud_key]"}'),
        (b"?key=AIza" + b"a1-_b" * 7 + b"&x", b"?key=[cloud_key]&x"),
        (b"AccountKey=" + b"Az9/" * 21 + b"Qw==;End", b"AccountKey=[cloud_key];End"),
        (b"?sv=1&sig=" + b"a%2Bb" * 9 + b"&se=2", b"?sv=1&sig=[cloud_key]&se=2"),
        (b"github_pat_" + b"A1_b" * 8, b"[cloud_key]"),
        (b"rk_test_0123456789abcdef", b"[cloud_key]"),
        (b'"-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY-----\\n"', b'"[cloud_key]\\n"'),
        (b"AKIA is a prefix, BAKIAABCDEFGHIJKLMNOP too", b"AKIA is a prefix, BAKIAABCDEFGHIJKLMNOP too"),
        (b"task_live_0123456789abcdef", b"task_live_0123456789abcdef"),
    ],
)
def test_cloud_keys(before, after):
    """Keys of the large vendors go, by shape or beside the name that gives them away."""
    assert redacted(before, ("cloud_keys",))[0] == after


def test_jwts():
    """A JSON Web Token goes; base64 that is none stays."""
    body = b"eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2ln eyJhbGci alone"

    assert redacted(body, ("jwts",)) == (b"[jwt] eyJhbGci alone", {"jwts": 1})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"SSN":"123-45-6789","a":1}', b'{"SSN":"[redacted]","a":1}'),
        (b'{"ssn": "quote \\" inside","a":1}', b'{"ssn": "[redacted]","a":1}'),
        (b'{"ssn": "ends with \\\\","a":"b"}', b'{"ssn": "[redacted]","a":"b"}'),
        (b'{"ssn":123456789,"a":[{"ssn":null}]}', b'{"ssn":"[redacted]","a":[{"ssn":"[redacted]"}]}'),
        (b'{"ssn":{"a":["}",{"b":1}]},"c":2}', b'{"ssn":"[redacted]","c":2}'),
        (b'{"ssn":["1","2"],"c":2}', b'{"ssn":"[redacted]","c":2}'),
        (
            b'{"m":"{\\"ssn\\":\\"1 \\\\\\" 2\\",\\"b\\":1}"}',
            b'{"m":"{\\"ssn\\":\\"[redacted]\\",\\"b\\":1}"}',
        ),
        (b'{"m":"{\\"ssn\\":12}"}', b'{"m":"{\\"ssn\\":\\"[redacted]\\"}"}'),
        (b"ssn=123 user=bob", b"ssn=[redacted] user=bob"),
        (b'ssn="12 3" user=bob', b'ssn="[redacted]" user=bob'),
        (b"GET /a?x=1&ssn=12&y=2", b"GET /a?x=1&ssn=[redacted]&y=2"),
        (b"{'ssn': 'it', 'b': 1}", b"{'ssn': '[redacted]', 'b': 1}"),
        (b"ssn: Bearer abc.def rest", b"ssn: [redacted] rest"),
        (b'{"ssn":"never closed\r', b'{"ssn":"[redacted]\r'),
        (b"lessn=1 ssn_count=2 the ssn is", b"lessn=1 ssn_count=2 the ssn is"),
        (b'{"ssn":""}', b'{"ssn":""}'),
    ],
)
def test_keys(before, after):
    """The value of a named key goes in JSON, JSON inside JSON, key=value and text; longer names are other names."""
    left, made = redacted(before, keys=("Ssn",))

    assert left == after
    assert made == ({"keys": after.count(b"[redacted]")} if left != before else {})
    if before.startswith(b"{") and before.endswith(b"}") and b"'" not in before:
        json.loads(left)


def test_patterns():
    """Every match of an expression goes, line by line; carriage returns and line ends stay."""
    body = b"order 17 and 18\r\nnone here\nuser-99"

    left, made = redacted(body, patterns=(r"\b\d+$", r"order \d+"))

    assert left == b"[redacted] and [redacted]\r\nnone here\nuser-[redacted]"
    assert made == {"patterns": 3}


def test_kinds_are_counted_apart():
    """What two presets look for is taken out and counted once, by the more specific one."""
    body = b"AKIAABCDEFGHIJKLMNOP bob@example.com password=bobexample eyJhbGciOiJIUzI1.eyJzdWIiOiIx.x ssn=1\n"

    left, made = redacted(body * 3, ALL, keys=("ssn",))

    assert left == b"[cloud_key] [email] password=[token] [jwt] ssn=[redacted]\n" * 3
    assert made == {"cloud_keys": 3, "emails": 3, "tokens": 3, "jwts": 3, "keys": 3}


def test_luhn_known_numbers():
    """The standard's own kind of examples."""
    assert luhn(b"79927398713")
    assert not luhn(b"79927398710")


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_lines_stay_lines(parts):
    """Whatever the bytes: the number of line ends does not change, and a second pass changes nothing."""
    body = b"\n".join([*parts, b'password=secret123 "pin":{"a":1}', b"bob@example.com"])

    once, _ = redacted(body, ALL, ("pin",), (r"secret\d+",))

    assert once.count(b"\n") == body.count(b"\n")
    assert b"secret123" not in once
    assert redacted(once, ALL, ("pin",))[0] == once


NEAR = (
    b"a",
    b"a@",
    b"1234-",
    b"password",
    b"password=",
    b'\\"password\\":\\"',
    b"eyJ",
    b"ssn:{",
    b'"ssn":"\\',
    b'"ssn":[{"',
    b"ssn='",
    b"\\",
    b"-----BEGIN ",
    b"secretaccesskey",
    b"A" * 3 + b"KIA",
)


@pytest.mark.parametrize("near", NEAR)
def test_hostile_lines_take_linear_time(near):
    """Of the worst kind of near matches, four times as many take four times as long, not sixteen."""
    spent = []
    for size in (250_000, 1_000_000):
        body = b'"ssn":' + near * (size // len(near))
        began = time.thread_time()
        redacted(body, ALL, ("ssn",))
        spent.append(time.thread_time() - began)

    assert spent[1] < max(8 * spent[0], 0.5)
    assert spent[1] < 10


def test_every_shape_is_found_by_its_literal():
    """A shape's name is in lower case exactly when it is looked for in the block in lower case."""
    for shape in {shape for shapes in SHAPES.values() for shape in shapes}:
        name = shape.name if isinstance(shape.name, bytes) else shape.name.pattern
        assert not shape.folded or name == name.lower()
