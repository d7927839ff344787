import re

import pytest

from collector.errors import QueryError, QuerySyntax
from collector.query.search import LOGS, SPANS, compile_search
from collector.query.severity import severity_range


@pytest.mark.parametrize(
    ("text", "sql", "values"),
    [
        ("", "1", []),
        ("service:checkout", "(service = {q0:String})", ["checkout"]),
        ("severity:>=error", "((severity_number > 0 AND severity_number >= {q0:UInt8}))", [17]),
        ("timeout", "(hasToken(lower(body), {q0:String}))", ["timeout"]),
        (
            "a OR -b",
            "((hasToken(lower(body), {q0:String})) OR (NOT (hasToken(lower(body), {q1:String}))))",
            ["a", "b"],
        ),
        (
            "status:>499",
            (
                "((has(attributes.keys, {q0:String}) OR has(resource.keys, {q0:String})) AND (ifNull(toFloat64OrNull("
                "if(mapContains(attributes, {q0:String}), attributes[{q0:String}], resource[{q0:String}])) > {q1:Float64}, 0)))"
            ),
            ["status", 499.0],
        ),
    ],
)
def test_final_conditions(text, sql, values):
    """What a search becomes: every value is bound, none stands in the text."""
    condition = compile_search(text, LOGS, 0)

    assert (condition.sql, list(condition.params.values())) == (sql, values)


def test_an_injection_stays_a_value():
    """Quotes, braces and comments in a search end up in parameters only."""
    nasty = "') OR 1=1 -- {x:String}"
    condition = compile_search(f'service:"{nasty}"', LOGS, 0)

    assert condition.sql == "(service = {q0:String})"
    assert condition.params == {"q0": nasty}


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("service:", 8),
        ("(a", 2),
        ("a)", 1),
        ('say "hello', 4),
        ("a AND", 5),
        ("x:[1 TO", 5),
        ("a {b}", 2),
        ("x:[1 2]", 5),
    ],
)
def test_syntax_errors_say_where(text, position):
    """The position is that of the first character that does not fit."""
    with pytest.raises(QuerySyntax) as error:
        compile_search(text, LOGS, 0)

    assert error.value.position == position


@pytest.mark.parametrize("text", ["(" * 4000, "-" * 4000 + "a", "a " * 3000, "a:(" * 1300])
def test_absurd_searches_are_refused_in_words(text):
    """Endless nesting and length are syntax errors, not crashes."""
    with pytest.raises(QuerySyntax):
        compile_search(text, LOGS, 0)


def test_spans_have_columns_of_their_own():
    """Durations compare as milliseconds; a bare word searches the span's name."""
    assert compile_search("duration_ms:>5", SPANS, 0).sql == "((duration_ns / 1e6 > {q0:Float64}))"
    assert compile_search("pay", SPANS, 0).sql == "(hasToken(lower(name), {q0:String}))"
    with pytest.raises(QueryError, match="duration_ms"):
        compile_search("duration_ms:long", SPANS, 0)


@pytest.mark.parametrize(
    ("spelling", "numbers"),
    [("WARNING", (13, 16)), ("crit", (21, 24)), ("Err", (17, 20)), ("17", (17, 17)), ("loud", None)],
)
def test_severities_in_any_spelling(spelling, numbers):
    """Any usual spelling is one of OpenTelemetry's six ranges."""
    assert severity_range(spelling) == numbers


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("a line:many", 7, "line:many"),
        ("severity:>=loud", 9, "loud"),
        ("a (b OR occurred_at:>yesterday)", 20, "yesterday"),
        ("line:4*", 5, "pattern"),
        ("line:/4/", 5, "pattern"),
        ("occurred_at:/4/", 12, "pattern"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_place(text, position, said):
    """Numbers, times and severities are checked before the engine sees them, patterns on them too."""
    with pytest.raises(QueryError, match=re.escape(said)) as error:
        compile_search(text, LOGS, 0)

    assert (error.value.code, error.value.position) == ("bad_value", position)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("pay*", []),
        ("pay-ment*", ["pay"]),
        ("*-Refused", ["refused"]),
        ("a?b-c-d*", ["c"]),
        ("x.grüße.*", ["x", "grüße"]),
    ],
)
def test_a_wildcard_asks_the_index_for_its_whole_tokens(text, tokens):
    """What surely stands whole in every match is looked up, what a wildcard may go on is not."""
    condition = compile_search(text, LOGS, 0)

    assert [
        value for value in condition.params.values() if "\\" not in str(value) and "(" not in str(value)
    ] == tokens


def test_long_numbers_are_identifiers():
    """A Float64 would take 9007199254740993 for its neighbour."""
    assert "toFloat64" not in compile_search("user.id:9007199254740993", LOGS, 0).sql
    assert "toFloat64" in compile_search("user.id:900719925474099", LOGS, 0).sql
