"""Any search gives the rows that a slow, plain evaluator of the same tree gives, over hostile records."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.query.grammar import parse
from collector.query.search import LOGS, compile_search
from tests.collector.query.reference import holds
from tests.collector.read.real_store import Filler, log

WORDS = (
    "pay", "payment", "Pay", "connection", "refused", "grüße", "ÄB", "äb", "42", "500", "a_b", "100%", "x\\y", "'quoted'", '"said"', "naïve",
    "日本", "🔥", "\u2028", "o'clock", "{x:String}", "--", "/*", "\\N", "%", "_", "-", "*", "?", "tab\there", "new\nline", "nul\x00", "ſ", "İ",
)  # fmt: skip
VALUES = (
    "", "5", "5.0", " 5", "5 ", "05", "+5", "-5", ".5", "5.", "1e2", "100", "-0", "nan", "NaN", "inf", "-Infinity", "1e400", "0x10", "1_000", "5e",
    "٥", "9007199254740993", "9007199254740992", "true", "pay", "Pay", "a%b", "a_b", "a\\b", "'", '"', "\\N", "many words here", "日本", "\n",
)  # fmt: skip
KEYS = (
    "code",
    "user.id",
    "a.b.c",
    "k'ey",
    'k"ey',
    "k\\ey",
    "clé",
    "with space",
    "a:b",
    "%",
    "service.name",
    "{q0:String}",
)
SERVICES = ("pay", "payment", "pa_ment", "a%b", "checkout", "", "日本", "o'clock", "x\\y")
SEVERITIES = {
    0: "",
    1: "trace",
    5: "debug",
    9: "info",
    10: "info",
    13: "warn",
    17: "error",
    20: "error",
    21: "fatal",
}


def hostile_records():
    """300 records that differ in everything a search can see; the same at each run."""
    chance = random.Random(20)
    made = []
    for line in range(300):
        number = chance.choice(list(SEVERITIES))
        body = chance.choice(["", " ", "-", "  "]).join(chance.choices(WORDS, k=chance.randint(0, 5)))
        made.append(
            {
                **log(-100, body, line=line, service=chance.choice(SERVICES), severity_number=number),
                "severity": SEVERITIES[number],
                "trace_id": chance.choice(["", "ab" * 16, "0" * 31 + "1"]),
                "attributes": dict(chance.sample([(k, chance.choice(VALUES)) for k in KEYS], 4)),
                "resource": {chance.choice(KEYS): chance.choice(VALUES)},
            }
        )
    return made


RECORDS = hostile_records()


@pytest.fixture(scope="module")
def filled(store):
    """The store with those records."""
    filler = Filler(store)
    filler("logs", RECORDS)
    yield store
    filler.empty()


def escaped(text):
    """A text as one word: a backslash before whatever could mean something."""
    return "".join(letter if letter.isalnum() else f"\\{letter}" for letter in text)


def quoted(text):
    """A text as a phrase."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def wild(parts):
    """A word with wildcards between escaped texts."""
    return "".join(part if part in ("*", "?") else escaped(part) for part in parts)


SOME_TEXT = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(VALUES),
    st.lists(st.sampled_from(WORDS), min_size=2, max_size=3).map(" ".join),
)
WORD = SOME_TEXT.filter(bool).map(escaped)
PHRASE = SOME_TEXT.map(quoted)
FRAGMENT = st.one_of(
    st.sampled_from(["*", "?"]),
    st.sampled_from(WORDS),
    st.sampled_from(["p", "pa", "ment", "ref", "日", "-", "42", "o", "'"]),
)
WILDCARD = st.lists(FRAGMENT, min_size=1, max_size=4).map(wild)
REGEX = st.sampled_from(
    ["/re.used/", "/^pay/", "/t$/", "/[0-9]+/", "/a|日/", "/'/", "/\\\\/", "/^$/", "/(?i)PAY/", "/\\/\\*/"]
)
NUMBER = st.sampled_from(
    ["5", "5.0", "-5", "0", "42", "100", "1e2", ".5", "9007199254740993", "+5", "1e999", "-1e999"]
)
# A plus before a value means "must": alone it is escaped, in a comparison it is a sign.
BARE_NUMBER = NUMBER.map(lambda text: text.replace("+", "\\+"))
BOUND = st.one_of(
    NUMBER, st.sampled_from(["many", "a", quoted("日本"), quoted(""), quoted("5 "), "nan", "zz"])
)
OPERATOR = st.sampled_from([">", ">=", "<", "<="])


def compared(bounds):
    """Comparisons and ranges over *bounds*."""
    end = st.one_of(st.just("*"), bounds)
    return st.one_of(
        st.tuples(OPERATOR, bounds).map("".join),
        st.tuples(st.sampled_from("[{"), end, st.just(" TO "), end, st.sampled_from("]}")).map("".join),
    )


def grouped(tests):
    """Tests of one field, alone or in parentheses."""
    several = st.tuples(
        st.just("("), tests, st.sampled_from([" ", " OR ", " AND ", " -", " NOT "]), tests, st.just(")")
    )
    return st.one_of(tests, several.map("".join))


TEXT = st.one_of(WORD, PHRASE, WILDCARD, REGEX)
SEVERITY = st.one_of(
    st.sampled_from(["error", "WARNING", "17", "0", "err*", "*", "/^(warn|error)$/", "?nfo", '"info"']),
    compared(st.sampled_from(["warn", "error", "13", "0", "24", "fatal", "trace"])),
)
TERM = st.one_of(
    WORD,
    PHRASE,
    WILDCARD,
    REGEX,
    grouped(st.one_of(TEXT, compared(BOUND))).map(lambda test: f"body:{test}"),
    grouped(st.one_of(TEXT, compared(BOUND))).map(lambda test: f"service:{test}"),
    grouped(SEVERITY).map(lambda test: f"severity:{test}"),
    st.one_of(BARE_NUMBER, compared(NUMBER), st.just("*")).map(lambda test: f"line:{test}"),
    st.sampled_from(["AB" * 16, "ab*", "AB*", "*1", "*", '""', "/^ab/"]).map(lambda test: f"trace_id:{test}"),
    st.tuples(
        st.sampled_from([*KEYS, "absent"]).map(escaped),
        grouped(st.one_of(TEXT, BARE_NUMBER, compared(BOUND), st.just("*"))),
    ).map(":".join),
)
SEARCH = st.recursive(
    TERM,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" ", " AND ", " OR ", " && ", " || "]), inner).map("".join),
        st.tuples(st.sampled_from(["-(", "NOT (", "!(", "(", "+("]), inner)
        .map("".join)
        .map(lambda text: f"{text})"),
    ),
    max_leaves=5,
)


@settings(
    max_examples=200,
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

    assert found == [row["line"] for row in RECORDS if holds(node, row)]
