"""Parameters: times, durations, limits, selectors; wrong ones in Prometheus' words."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.api.prometheus.form import Form, label_name, read_form
from collector.errors import Malformed, QueryError


def form(**fields: str) -> Form:
    """A form with *fields*."""
    return Form(list(fields.items()))


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("0", 0), ("1.5", 1500), ("1795000000.123", 1_795_000_000_123), ("1e3", 1_000_000), ("-1", -1000), ("+5", 5000), (".5", 500),
        ("1970-01-01T00:00:01Z", 1000), ("2026-11-18T11:06:40.123Z", 1_795_000_000_123), ("2026-11-18T12:06:40+01:00", 1_795_000_000_000),
        ("2026-11-18t11:06:40.1234567z", 1_795_000_000_123), ("1969-12-31T23:59:59.5Z", -500), ("0.0014", 1), ("0.0016", 2),
        ("99999999999999", 253_402_300_799_999), ("-9223309901257974", -62_135_596_800_000),
    ],
)  # fmt: skip
def test_times_are_seconds_or_rfc_3339(text, at_ms):
    """To the millisecond; beyond the years 1 and 9999 they are those."""
    assert form(time=text).time_ms("time") == at_ms


@pytest.mark.parametrize("text", ["", "now", "-1h", "x", "NaN", "Inf", "1e999", "2026-11-18", "2026-11-18T11:06:40", "2026-13-01T00:00:00Z", "1 2", "０"])  # fmt: skip
def test_what_is_no_time_is_quoted(text):
    """As Prometheus says it."""
    with pytest.raises(QueryError) as raised:
        form(start=text).time_ms("start")

    assert raised.value.message == f'invalid parameter "start": cannot parse "{text}" to a valid timestamp'
    assert raised.value.status == 400


@pytest.mark.parametrize(
    ("text", "length_ms"),
    [("15", 15_000), ("0.25", 250), ("15s", 15_000), ("1m30s", 90_000), ("100ms", 100), ("1d", 86_400_000), ("2w", 1_209_600_000),
     ("1y", 31_536_000_000), ("1h1ms", 3_600_001), ("1e2", 100_000), ("-5m", -300_000), ("0", 0)],
)  # fmt: skip
def test_durations_are_seconds_or_have_units(text, length_ms):
    """In the order of their units."""
    assert form(step=text).required_duration_ms("step") == length_ms


@pytest.mark.parametrize("text", ["", "m", "5x", "1s1m", "-", "1.5h", "５m", "1m 30s"])
def test_what_is_no_duration_is_quoted(text):
    """As Prometheus says it."""
    with pytest.raises(QueryError, match=r'invalid parameter "step": cannot parse ".*" to a valid duration'):
        form(step=text).required_duration_ms("step")


@pytest.mark.parametrize("text", ["1e30", "999999999999y"])
def test_a_duration_beyond_every_clock_is_refused(text):
    """It does not wrap around."""
    with pytest.raises(QueryError, match="It overflows int64"):
        form(step=text).required_duration_ms("step")


@pytest.mark.parametrize("text", ["x", "1.5", "-1", "1e3", "9" * 30])
def test_a_limit_is_a_whole_number_that_is_not_negative(text):
    """It names the parameter."""
    with pytest.raises(QueryError, match='invalid parameter "limit": '):
        form(limit=text).limit()


def test_the_body_goes_before_the_query_string():
    """As in Go, where both are given."""
    read = read_form(b"query=one&match[]=a", b"query=two&match[]=b")

    assert (read.text("query"), read.texts("match[]")) == ("two", ["b", "a"])


@pytest.mark.parametrize("query", [b"a=%ff", "a=ü".encode("latin-1"), b"&".join(b"a=1" for _ in range(2000))])
def test_a_form_that_cannot_be_read_is_refused(query):
    """Not UTF-8, or more fields than anybody has."""
    with pytest.raises(Malformed, match="error parsing form values"):
        read_form(query, b"")


@pytest.mark.parametrize("text", ["a offset 5m", "a @ 3", "rate(a[5m])", "a[5m]", "1", "{}", "a{", "a or b"])
def test_match_takes_selectors_alone(text):
    """An expression is none."""
    with pytest.raises(QueryError):
        Form([("match[]", text)]).chosen()


def test_there_is_an_end_to_selectors():
    """Each is a condition of the statement."""
    with pytest.raises(QueryError, match="101 selectors; 100 are possible"):
        Form([("match[]", "a")] * 101).chosen()


@pytest.mark.parametrize(
    ("text", "name"),
    [("job", "job"), ("U__http_2e_route", "http.route"), ("U__a__b", "a_b"), ("U___d800_", "�"), ("__name__", "__name__"), ("a b", "a b")],
)  # fmt: skip
def test_a_path_names_any_label(text, name):
    """Characters that a path cannot hold are escaped as Prometheus 3 does."""
    assert label_name(text) == name


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_a_form_or_refused(query, body):
    """Nothing else comes of them."""
    with contextlib.suppress(Malformed):
        assert all(isinstance(text, str) for pair in read_form(query, body).pairs for text in pair)


@given(st.text(max_size=40))
def test_any_text_is_a_time_a_duration_a_limit_or_refused(text):
    """Nothing else comes of it."""
    asked = form(x=text)
    for ask in (asked.time_ms, asked.required_duration_ms, asked.limit, asked.flag):
        with contextlib.suppress(QueryError):
            assert isinstance(ask("x"), int)
