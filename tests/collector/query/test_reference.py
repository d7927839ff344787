"""Any search gives the rows that a slow, plain evaluator of the same tree gives."""

import re
from fnmatch import translate

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.query.grammar import AllOf, AnyOf, Comparison, Field, Not, Phrase, Range, Regex, parse
from collector.query.search import LOGS, compile_search
from collector.query.severity import severity_range
from tests.collector.read.real_store import Filler, log

TEXTS = (
    "",
    "connection refused",
    "Connection  REFUSED: payment",
    "pay-ment pay",
    "grüße an ÄB",
    "a_b 42",
    "100%",
    "x\\y",
    "pay",
)
NUMBERS = ("", "5", "5.0", "42", "-1", "1e2", "many", "500")
SERVICES = ("pay", "payment", "pa_ment", "a%b", "checkout")


def rows():
    """A few dozen records that differ in everything a search can see."""
    return [
        {
            **log(
                -100 + index, TEXTS[index % len(TEXTS)], line=index, service=SERVICES[index % len(SERVICES)]
            ),
            "severity_number": (0, 5, 9, 13, 17, 21)[index % 6],
            "attributes": {"code": NUMBERS[index % len(NUMBERS)]} if index % 3 else {},
            "resource": {"code": "7"} if index % 5 == 0 else {},
        }
        for index in range(90)
    ]


ROWS = rows()


@pytest.fixture(scope="module")
def filled(store):
    """The store with those records."""
    filler = Filler(store)
    filler("logs", ROWS)
    yield store
    filler.empty()


def tokens(text):
    """Split as ClickHouse does: on everything of ASCII that is no letter or digit."""
    return re.findall(r"[^\x00-/:-@\[-`{-\x7f]+", lower(text))


def lower(text):
    """Lower ASCII only."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def number(text):
    """A float or None."""
    try:
        return float(text)
    except ValueError:
        return None


def holds(node, row, field=None):
    """The reference: does *row* fit *node*."""
    if isinstance(node, AllOf):
        return all(holds(part, row, field) for part in node.nodes)
    if isinstance(node, AnyOf):
        return any(holds(part, row, field) for part in node.nodes)
    if isinstance(node, Not):
        return not holds(node.node, row, field)
    if isinstance(node, Field):
        return holds(node.test, row, node.name)
    return fits(node, row, field or "body")


def fits(test, row, field):
    """One test of one field."""
    star = getattr(test, "pattern", None) == "*"
    if field == "body":
        return row["body"] != "" or True if star else fits_text(test, row["body"])
    if field == "service":
        return fits_exactly(test, row["service"])
    if field == "severity":
        return fits_severity(test, row["severity_number"])
    value = row["attributes"].get(field, row["resource"].get(field))
    if value is None or star:
        return value is not None
    return fits_attribute(test, value)


def fits_text(test, body):
    """By token."""
    if isinstance(test, Regex):
        return re.search(test.pattern, body) is not None
    wanted, had = tokens(test.text), tokens(body)
    if not wanted:
        return lower(test.text) in lower(body)
    return any(had[at : at + len(wanted)] == wanted for at in range(len(had)))


def fits_exactly(test, value):
    """Whole and exact."""
    if isinstance(test, Regex):
        return re.search(test.pattern, value) is not None
    if not isinstance(test, Phrase) and test.wildcards:
        return re.match(translate(test.text), value) is not None
    return test.text == value


def limits(test):
    """Operator and bound, at most two."""
    if isinstance(test, Comparison):
        return [(test.operator, test.bound)]
    low = [(">=" if test.low_included else ">", test.low)] if test.low else []
    return low + ([("<=" if test.high_included else "<", test.high)] if test.high else [])


def compare(left, operator, right):
    """Compare as written."""
    return {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[operator]


def fits_severity(test, had):
    """By OpenTelemetry's numbers."""
    if isinstance(test, Comparison | Range):
        bounds = [(op, severity_range(text)) for op, text in limits(test)]
        return had > 0 and all(
            compare(had, op, high if op in {">", "<="} else low) for op, (low, high) in bounds
        )
    if getattr(test, "pattern", None) == "*":
        return had > 0
    low, high = severity_range(test.text)
    return low <= had <= high


def fits_attribute(test, value):
    """As a number where both sides are, else as text."""
    if isinstance(test, Comparison | Range):
        bounds = limits(test)
        if all(number(text) is not None for _, text in bounds):
            had = number(value)
            return had is not None and all(compare(had, op, number(text)) for op, text in bounds)
        return all(compare(value, op, text) for op, text in bounds)
    if isinstance(test, Phrase | Regex) or test.wildcards or number(test.text) is None:
        return fits_exactly(test, value)
    return value == test.text or number(value) == number(test.text)


WORDS = st.sampled_from(
    ["pay", "payment", "Refused", "connection", "42", "grüße", "ÄB", "pay-ment", "100%", "a_b", "a", "x\\\\y"]
)
PHRASES = st.sampled_from(
    ['"connection refused"', '"refused payment"', '"pay ment"', '"%"', '"pay"', '" an "', '"\\\\"']
)
BODY = st.one_of(
    WORDS, PHRASES, st.sampled_from(["/re.used/", "/^pay/", "*", "body:pay", 'body:(pay OR "42")'])
)
SERVICE = st.sampled_from(
    ["pay", "pay*", "p?_ment", "*ment", "a%b", "(pay OR checkout)", "/^pa/", '"pa_ment"', "*"]
)
SEVERITY = st.sampled_from(
    [">=warn", "error", "<info", ">debug", "<=warn", "[info TO error]", "{info TO error}", "*", "17"]
)
CODE = st.sampled_from(
    ["5", "5.0", '"5"', ">5", "<=42", "[0 TO 100]", "{5 TO *]", "*", "many", "m*", ">=many", "7", "/^5/"]
)
TERM = st.one_of(
    BODY,
    SERVICE.map(lambda test: f"service:{test}"),
    SEVERITY.map(lambda test: f"severity:{test}"),
    CODE.map(lambda test: f"code:{test}"),
)
SEARCH = st.recursive(
    TERM,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" ", " AND ", " OR "]), inner).map("".join),
        inner.map(lambda text: f"-({text})"),
        inner.map(lambda text: f"NOT ({text})"),
        inner.map(lambda text: f"({text})"),
    ),
    max_leaves=5,
)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=SEARCH)
def test_any_search_equals_the_reference(filled, text):
    """The compiled condition selects exactly the records the reference selects."""
    condition = compile_search(text, LOGS, 0)
    sql = f"SELECT line FROM logs WHERE {condition.sql} ORDER BY line LIMIT 1000"
    found = [row["line"] for row in filled.query(sql, condition.params).rows]
    node = parse(text)

    assert found == [row["line"] for row in ROWS if holds(node, row)]
