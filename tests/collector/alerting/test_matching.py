"""Matchers are read as Prometheus and Alertmanager write them, and quote what is wrong."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.alerting.matching import LabelMatcher, all_match, parse_matchers

LABELS = {"service": "checkout", "severity": "page", "version": "1.4"}


@pytest.mark.parametrize(
    ("text", "meets"),
    [
        ("", True),
        ("{}", True),
        ('{severity="page"}', True),
        ("severity=page,service=checkout,", True),
        ('severity!="page"', False),
        ('service=~"check.*|cart"', True),
        ('service=~"check"', False),
        ('service!~"cart|bank"', True),
        (r'version=~"\d\.\d"', True),
        ('team=""', True),
        ('team=~".+"', False),
        ('team!="x"', True),
    ],
)
def test_matchers_are_read_and_anchored_as_prometheus_does(text, meets):
    """Braces and quotes may be left out, expressions fit the whole value, an absent label is empty."""
    assert all_match(parse_matchers(text), LABELS) is meets


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("severity", "expected label=\"value\" at 'severity'"),
        ('9x="a"', "at '9x="),
        ('a=~"("', "'(' is not a regular expression: missing )"),
        ('a=~"(?=x)"', "is not a regular expression"),
        ('a="x" b="y"', "expected label"),
        ('a="x', "expected label"),
        ("a=" + "x" * 3000, "has 3000 characters, at most 2000"),
        (",".join(["a=b"] * 60), "60 matchers, at most 50"),
    ],
)
def test_what_is_wrong_is_quoted(text, said):
    """The sentence holds the place, or the expression and why it is none."""
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_matchers(text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    """Nothing but ValueError comes out, and what is read can be written and read again."""
    try:
        found = parse_matchers(text)
    except ValueError:
        return
    assert parse_matchers(", ".join(map(str, found))) == found


def test_no_expression_holds_up_a_round():
    """What needs exponential time elsewhere is answered at once."""
    matcher = LabelMatcher("service", "=~", "(a+)+b")
    began = time.thread_time()
    assert not matcher.matches({"service": "a" * 5000})

    assert time.thread_time() - began < 1
