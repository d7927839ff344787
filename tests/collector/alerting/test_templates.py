"""Templates: what they are filled to, and what is refused when a file is read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.alerting.templates import Given, check_template, fill_in
from collector.alerting.templates.functions import Row
from tests.collector.alerting.templates import FILLED, LABELS, VALUE

ROWS = [Row({"__name__": "up", "job": "a"}, 1.0), Row({"__name__": "up", "job": "b"}, 0.0)]


def asked(text: str) -> list[Row]:
    """Answer the few queries of the templates."""
    wanted = {"up": ROWS, 'up{job="a"}': ROWS[:1], "up == 0": ROWS[1:]}
    return wanted.get(text, [])


GIVEN = Given({"__name__": "x", **LABELS}, VALUE, {"cluster": "eu"}, query=asked)


@pytest.mark.parametrize(("text", "filled"), FILLED)
def test_a_template_is_filled_as_prometheus_fills_it(text, filled):
    """Go's template language and Prometheus' functions, to the letter."""
    check_template(text)

    assert fill_in(text, GIVEN) == filled


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ nosuch $value }}", "the function 'nosuch' is not known; known: and, args"),
        ("{{ $vlaue }}", "the variable '$vlaue' is not known"),
        ("{{ if true }}x", "'{{ if }}' has no '{{ end }}'"),
        ("x{{ end }}", "'{{ end }}' closes nothing"),
        ("{{ range }}{{ end }}", "a part of a pipeline is empty"),
        ("{{ (1 }}", "a '(' is not closed"),
        ('{{ "a }}', "unexpected"),
        ("{{ /* x }}", "a comment is not closed"),
        ('{{ template "x" }}', "not known here"),
        ("{{ $x = 1 }}", "was not declared"),
        ("{{ " + "(" * 80 + "1" + ")" * 80 + " }}", "nested deeper"),
        ("{{ if 1 }}" * 80, "nested deeper"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(text, says):
    """What is wrong is said before anything fires."""
    with pytest.raises(ValueError, match=re.escape(says)):
        check_template(text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ humanize $labels.job }}",
        "{{ query `absent` | first }}",
        '{{ reReplaceAll "(" "" "x" }}',
        "{{ $labels.job.x }}",
        "{{ range $labels.job }}{{ end }}",
        "{{ label }}",
        '{{ $x := "0123456789" }}{{ range 60000 }}{{ $x }}{{ end }}',
        "{{ slice 5 1 }}",
    ],
)
def test_what_goes_wrong_stands_in_the_text(text):
    """An alert is told with half of its words rather than not at all."""
    given = Given(LABELS, VALUE)

    assert fill_in(text, given).startswith("<error expanding template: ")


@given(st.text(st.sampled_from(list('{}-$.|()"` abifrnge/*=:,1')), max_size=40))
def test_whatever_is_written_is_filled_or_refused(text):
    """No text ends in another error."""
    try:
        check_template(text)
    except ValueError:
        return
    assert isinstance(fill_in(text, Given({}, 1.0)), str)
