"""Expressions that are evaluated here have the answers that the compiler's statement has: random ones, and those people write."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.errors import QueryError
from collector.query.promql.instants import GivenUp, Plan, plan
from collector.query.promql.syntax import parse
from collector.read import leaves as leaves_module
from collector.read.leaves import Asked, TooMany, bring
from collector.read.metrics import LOOKBACK_MS
from collector.read.sql import Reader
from tests.collector.query.promql.samples import STALE, SamplesFiller

T = 1_795_000_000
AT_MS = T * 1000
pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture(scope="module")
def world(store):
    """Counters with resets, gaps and ends; delta series; buckets; two services with the same labels; values no arithmetic likes."""
    fill = SamplesFiller(store)
    times = range(T - 1200, T + 1, 30)
    for n, (job, pod) in enumerate([("a", "1"), ("a", "2"), ("b", "1"), ("b", "2"), ("c", "")]):
        service = {"service": f"s-{job}", "env": "prod" if n % 2 else ""}
        labels = {"job": job, "pod": pod} if pod else {"job": job}
        fill("c_total", [(t, float((t - T + 1200) % (500 + 100 * n))) for t in times], labels, **service)
        fill("g", [(t, float((t // 30 * (n + 3)) % 11 - 4)) for t in times], labels, **service)
        fill("d_total", [(t, float(n + 1)) for t in times], labels, temporality="delta", **service)
        for le, part in (("0.1", 1), ("0.5", 3), ("2.5", 4), ("+Inf", 5)):
            fill(
                "h_bucket",
                [(t, float((t - T + 1200) * part * (n + 1))) for t in times],
                {**labels, "le": le},
                **service,
            )
    fill("g", [(T - 400, 1.0)], {"job": "gone", "pod": "1"}, service="s-gone")
    fill("g", [(T - 60, 1.0), (T - 30, STALE)], {"job": "ended", "pod": "1"}, service="s-ended")
    fill("same", [(T - 15, 3.0)], {"job": "a"}, service="one", env="prod")
    fill("same", [(T - 15, 4.0)], {"job": "a"}, service="two", env="prod")
    fill("twice", [(T - 15, 3.0)], {"job": "a"}, service="one", env="prod")
    fill("twice", [(T - 45, 4.0), (T - 30, 8.0)], {"job": "a"}, service="one", env="prod")
    fill("bare", [(T - 15, 3.0)], {}, service="one", env="prod")
    for n, value in enumerate([math.inf, math.nan, -math.inf, 0.0, -2.5, 1e300]):
        fill("odd", [(T - 15, value)], {"n": str(n), "job": "ab"[n % 2]})
    yield
    fill.empty()


def planned(text: str) -> Plan:
    """Plan what must be planned."""
    made = plan(parse(text), LOOKBACK_MS)
    assert made is not None, text
    return made


def here(store, *texts: str, at_ms: int = AT_MS) -> list[dict[tuple[tuple[str, str], ...], float]]:
    """Evaluate them here, all at once."""
    plans = [planned(text) for text in texts]
    leaves = bring(Reader(store), [Asked(one, at_ms) for one in plans])
    return [{tuple(one.labels.items()): one.value for one in leaves.run(each, at_ms)} for each in plans]


def there(ask, text: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Ask the compiler's statement."""
    return {tuple(one.labels.items()): one.points[0][1] for one in ask(text, T).series}


def same(left, right) -> bool:
    """Whether two answers are one, the last digits of sums aside."""
    return left.keys() == right.keys() and all(
        math.isclose(value, right[mark], rel_tol=1e-9, abs_tol=1e-12)
        or (math.isnan(value) and math.isnan(right[mark]))
        for mark, value in left.items()
    )


SELECTORS = st.sampled_from(
    ["g", "c_total", "d_total", "h_bucket", "same", "twice", "bare", "odd", "nothing", "{__name__='g'}", "g{job='a'}", "g{job!='a'}",
     "c_total{job=~'a|b',pod='1'}", "g{pod=''}", "g{service='s-a'}", "g{env!='prod'}", "c_total{service_name=~'s-.*'}", "odd{n!~'1|5'}"]
)  # fmt: skip
LABELS = st.lists(st.sampled_from(["job", "pod", "le", "service", "env", "service_name", "__name__", "n", "none"]), max_size=3).map(", ".join)  # fmt: skip
NUMBERS = st.sampled_from(["0", "1", "2.5", "-3", "1e9", "(2 * 3)", "scalar(bare)", "scalar(g)", "pi()", "NaN", "Inf", "(time() - 1795000000)"])  # fmt: skip
CONSTANTS = st.sampled_from(["0", "0.5", "-1", "2", "0.9", "1"])
OVER = ("rate", "increase", "irate", "delta", "idelta", "deriv", "changes", "resets", "avg_over_time", "sum_over_time", "min_over_time", "max_over_time",
        "count_over_time", "last_over_time", "first_over_time", "stddev_over_time", "present_over_time", "absent_over_time")  # fmt: skip
OFFSETS = st.sampled_from(["", "", "", " offset 5m", " offset -1m"])
WINDOWS = st.sampled_from(["1m", "5m", "15m"])
VECTORS = st.recursive(
    st.one_of(
        st.builds("{}{}".format, SELECTORS, OFFSETS),
        st.builds("{}({}[{}]{})".format, st.sampled_from(OVER), SELECTORS, WINDOWS, OFFSETS),
        st.builds("quantile_over_time({}, {}[{}])".format, CONSTANTS, SELECTORS, WINDOWS),
        st.builds("predict_linear({}[{}]{}, 3600)".format, SELECTORS, WINDOWS, OFFSETS),
        st.builds("timestamp({})".format, SELECTORS),
        st.builds("vector({})".format, NUMBERS),
    ),
    lambda inner: st.one_of(
        st.builds("{} {} ({}) ({})".format, st.sampled_from(["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]),
                  st.sampled_from(["by", "without"]), LABELS, inner),
        st.builds("{}({})".format, st.sampled_from(["sum", "avg", "max", "count"]), inner),
        st.builds("quantile by ({}) ({}, {})".format, LABELS, CONSTANTS, inner),
        st.builds("histogram_quantile({}, {})".format, CONSTANTS, inner),
        st.builds("{}({})".format, st.sampled_from(["abs", "ceil", "floor", "exp", "sqrt", "ln", "sgn", "absent", "sort", "round", "-", ""]), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["clamp_min", "clamp_max", "round"]), inner, CONSTANTS),
        st.builds("clamp({}, {}, {})".format, inner, CONSTANTS, CONSTANTS),
        st.builds("label_join({}, 'to', '-', 'job', 'pod')".format, inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "==", "!=", ">", "<", ">=", "<=", "> bool", "== bool"]), NUMBERS),
        st.builds("({} {} {})".format, NUMBERS, st.sampled_from(["-", "/", ">", "<", "!="]), inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "==", ">", "< bool", "and", "or", "unless"]), inner),
        st.builds("({} {} {}({}) {})".format, inner, st.sampled_from(["+", "/", ">", "!= bool", "and", "or", "unless"]), st.sampled_from(["on", "ignoring"]), LABELS, inner),
        st.builds("({} {} {}({}) {}({}) {})".format, inner, st.sampled_from(["+", "/", ">", "<= bool"]), st.sampled_from(["on", "ignoring"]), LABELS,
                  st.sampled_from(["group_left", "group_right"]), LABELS, inner),
    ),
    max_leaves=4,
)  # fmt: skip


def read(text: str) -> Plan | None:
    """Plan *text*; None if it is no expression, too."""
    try:
        return plan(parse(text), LOOKBACK_MS)
    except QueryError:
        return None


@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
)  # fmt: skip
@given(texts=st.lists(VECTORS, min_size=12, max_size=16, unique=True))
def test_what_is_evaluated_here_is_what_the_statement_answers(store, ask, texts):
    """Whatever the expressions, brought together: the same label sets and values, or the statement is left to answer."""
    plans = {text: made for text in texts if (made := read(text)) is not None}
    leaves = bring(Reader(store), [Asked(made, AT_MS) for made in plans.values()])

    for text, made in plans.items():
        try:
            found = {tuple(one.labels.items()): one.value for one in leaves.run(made, AT_MS)}
        except GivenUp:
            continue
        told = there(ask, text)
        assert same(found, told), (text, found, told)


WRITTEN = [
    'sum by (job) (rate(c_total{pod!=""}[5m])) / on (job) sum by (job) (rate(c_total[5m])) > 0.2',
    "histogram_quantile(0.9, sum by (le, service) (rate(h_bucket[5m]))) > 0.1",
    "(g > 1 and on (job) c_total > 0) or g offset 5m unless on (job, pod) d_total",
    'absent(g{job="nobody",pod=~"1|2"}) or absent_over_time(nothing{job="x"}[5m])',
    "increase(d_total[5m]) + on (job, pod) group_left (service) g",
    "time() - timestamp(g) > bool 20",
    "sum(same) without (job)",
    "same",
    "-label_join(g, 'to', '-', 'job', 'pod') * 2",
    "quantile by (job) (0.5, quantile_over_time(0.9, g[10m]))",
    "predict_linear(c_total[10m] offset 1m, 3600) > vector(1)",
    "1 - scalar(bare) + g{job='ended'}",
]


def test_what_people_write_is_evaluated_here_and_comes_to_the_same(store, ask):
    """Ratios, quantiles, absence, matching, predictions: none is left to the statement."""
    found = here(store, *WRITTEN)

    for text, answer in zip(WRITTEN, found, strict=True):
        assert same(answer, there(ask, text)), text


@pytest.mark.parametrize(
    "text",
    ["topk(1, g)", "max_over_time(g[5m:1m])", "g @ 0", "{__name__=~'g|odd'}", "label_replace(g, 'a', '$1', 'job', '(.*)')", "g % 2",
     'count_values("v", g)', "g{job='a' or pod='1'}", "histogram_fraction(0, 1, h_bucket)"],
)  # fmt: skip
def test_what_the_statement_does_better_is_left_to_it(text):
    """Ties, subqueries, names that are patterns, texts that RE2 rewrites: no plan."""
    assert plan(parse(text), LOOKBACK_MS) is None


@pytest.mark.parametrize("text", ["twice", "same + on (job) g", "stddev(odd)", "exp(g * 1e9)"])
def test_what_has_no_plain_answer_is_given_up(store, text):
    """Two series of one label set, ambiguous matches, values that are no numbers: the statement has the last word."""
    with pytest.raises(GivenUp):
        here(store, text)


def test_a_selector_of_too_many_series_is_left_to_the_statement(store, monkeypatch):
    """Its rules ask by themselves; those beside it do not."""
    monkeypatch.setattr(leaves_module, "SELECTED_LIMIT", 6)
    few, many = Asked(planned("bare"), AT_MS), Asked(planned("sum(h_bucket)"), AT_MS)

    brought = bring(Reader(store), [few, many])

    assert brought.has(few)
    assert not brought.has(many)
    assert [one.value for one in brought.run(few.plan, AT_MS)] == [3.0]


@pytest.mark.parametrize("limit", ["SERIES_LIMIT", "PAIRS_LIMIT", "WANTED_LIMIT_BYTES"])
def test_more_than_is_held_at_a_time_is_refused(store, monkeypatch, limit):
    """Series, choices of them, selectors: so that whoever asks halves what it asks."""
    monkeypatch.setattr(leaves_module, limit, 5)

    with pytest.raises(TooMany):
        bring(Reader(store), [Asked(planned("g"), AT_MS)])


@pytest.mark.parametrize(("limit", "most"), [("SAMPLES_LIMIT", 120), ("IDS_LIMIT", 2)])
def test_series_are_read_in_parts(store, ask, monkeypatch, limit, most):
    """So many at a time as have few samples in the window, and as go into a parameter; the answer is the same."""
    monkeypatch.setattr(leaves_module, limit, most)
    reader = Counting(store)
    made = planned("sum by (job) (rate(c_total[15m]))")

    found = bring(Reader(reader), [Asked(made, AT_MS)]).run(made, AT_MS)

    assert reader.statements == 1 + 3
    assert same(
        {tuple(one.labels.items()): one.value for one in found},
        there(ask, "sum by (job) (rate(c_total[15m]))"),
    )


def test_a_pattern_that_is_none_is_told(store):
    """It reaches the engine as a value, and is refused there."""
    with pytest.raises(QueryError, match="RE2"):
        bring(Reader(store), [Asked(planned('g{job=~"a{1001}"}'), AT_MS)])


def test_each_window_is_read_once_whoever_asks(store):
    """A thousand expressions of one shape take two statements."""
    asked = [Asked(planned(f'sum by (job) (rate(c_total{{pod="1"}}[5m])) > {n}'), AT_MS) for n in range(1000)]
    reader = Counting(store)

    brought = bring(Reader(reader), asked)

    assert reader.statements == 2
    assert [len(brought.run(one.plan, AT_MS)) for one in asked[:2]] == [2, 0]


class Counting:
    """A store that counts statements."""

    def __init__(self, store):
        self._store = store
        self.statements = 0

    def query(self, *args):
        """Run one."""
        self.statements += 1
        return self._store.query(*args)
