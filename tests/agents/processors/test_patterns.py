"""Expressions from the settings: what is refused, what is found, and that time is bounded."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import WrongSetting
from agents.processors.expressions import literals, parsed, refusal
from agents.processors.patterns import LinePattern, costly
from agents.settings_fields import pattern, secret_pattern


@pytest.mark.parametrize(
    "expression",
    [
        r"(a+)+$",
        r"(?:a|ab)*c",
        r"(\w+\s?)*$",
        r"(?:a{1,2})*b",
        r"(.|\s)*x",
        r"(a*)*",
        r"(x+x+)+y",
        r"(?=(a+)+$)",
        r"(?>(a+)+b)",
        r"(?i)(?:[a-z]+A)*b",
        r"a.*b.*c.*d",
    ],
)
def test_what_could_take_forever_is_refused(expression):
    """With a sentence that says what to write instead."""
    with pytest.raises(WrongSetting, match="possessive"):
        pattern("filter.exclude", expression)


@pytest.mark.parametrize(
    "expression",
    [
        r"(?:[a-z]+,)*x",
        r"(?:foo|bar)*",
        r".*healthz.*",
        r"a.*b.*c",
        r"\d+\.\d+\.\d+",
        r"(?:\d{1,3}\.){3}\d{1,3}",
        r"(?:[a-z]++,)*",
        r"user=\S+",
        r"^\d{4}-\d\d-\d\d",
        r"(?>a+)*b",
        r"(?:,[a-z]+)*",
    ],
)
def test_what_is_bounded_is_taken(expression):
    """Everyday expressions pass."""
    assert refusal(expression) is None


def test_a_secret_is_not_nothing():
    """An expression that matches the empty text would be replaced everywhere."""
    with pytest.raises(WrongSetting, match="at least one character"):
        secret_pattern("redact.patterns", "x*")


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        (r"user=\d+ from", [b"user=", b" from"]),
        (r"(?:GET|GETX) /pay", [b"GET", b" /pay"]),
        (r"(?i)Foo(bar)+x?", [b"Foo", b"bar"]),
        (r"a(?i:b)c|d", []),
        (r"(?<=abc)\d", []),
        (r"(?:abc){2}", [b"abc"]),
    ],
)
def test_what_every_match_contains(expression, found):
    """Literals are read off the expression."""
    assert list(literals(parsed(expression))) == found


def test_expressions_without_text_are_named():
    """``check`` says which ones every line is searched for."""
    assert costly([r"\d{16}", r"user=\d+", r"(?i)secret"]) == [r"\d{16}"]


def stopped():
    """A clock that stands still: the time of a block is never over, however long the machine pauses."""
    return 0.0


LINES = st.lists(st.text("abAB1 ", max_size=6).map(str.encode), min_size=1, max_size=80)


@given(LINES, st.sampled_from([r"aab", r"(?i)aab", r"^a.*b$", r"\d+", r"b1|a1", r"(?:ab)+", r"a.*b.*1"]))
def test_flags_and_replacements_are_those_of_re(lines, expression):
    """Literals and batches change no answer."""
    body = b"\n".join(lines)
    compiled = re.compile(expression.encode())
    asked = LinePattern(expression, clock=stopped)

    assert asked.flags(lines, body, unseen=False) == [bool(compiled.search(line)) for line in lines]
    replaced = list(lines)
    made = asked.replace(replaced, body, b"*", b"?")
    assert (replaced, made) == (
        [compiled.sub(b"*", line) for line in lines],
        sum(len(compiled.findall(line)) for line in lines),
    )


@pytest.mark.parametrize("place", [0, 16_380, 16_384, 32_000, 99_000])
def test_a_match_in_a_long_line_is_found_across_windows(place):
    """Wherever it stands, and once."""
    line = b"x" * place + b"card-1234567890-end" + b"x" * (100_000 - place)
    lines = [line]

    made = LinePattern(r"card-\d+-end", clock=stopped).replace(lines, line, b"*", b"?")

    assert (made, lines) == (1, [b"x" * place + b"*" + b"x" * (100_000 - place)])


def test_a_match_longer_than_a_window_goes_whole():
    """In parts, but nothing of it stays."""
    lines = [b"k=" + b"7" * 50_000 + b";"]

    LinePattern(r"7+", clock=stopped).replace(lines, lines[0], b"*", b"?")

    assert set(lines[0]) == set(b"k=*;")


def test_lines_unseen_are_the_callers():
    """When the time of a block is over, redaction hides the lines that are left and filters answer as they are told."""
    ticks = iter(range(0, 1000, 2))
    slow = LinePattern(r"\d", clock=lambda: float(next(ticks)))
    lines = [b"1"] * 100

    assert slow.replace(lines, b"\n".join(lines), b"*", b"?") == 100
    assert lines == [b"*"] * 64 + [b"?"] * 36
    assert slow.flags([b"x"] * 100, b"x\n" * 100, unseen=True).count(True) == 36


@pytest.mark.parametrize("expression", [r"a.*b.*c", r".*foo\d", r"\s+$", r"[\w.]+@[\w.]+\.[a-z]+$"])
def test_the_worst_lines_of_an_accepted_expression_are_bounded(expression):
    """Many near matches in one line, and in many, is given up within seconds."""
    for line in (b"a" * 300 + b"b" * 300, b"foo", b" \t" * 50, b"a.a.@"):
        whole = (line * (300_000 // len(line)))[:300_000]
        for body in (whole, b"\n".join(whole[at : at + 8000] for at in range(0, 300_000, 8000))):
            began = time.thread_time()
            LinePattern(expression).flags(body.split(b"\n"), body, unseen=False)
            assert time.thread_time() - began < 4
