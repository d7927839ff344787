"""What questions are answered with: operators, aggregations, functions; each with series small enough to reckon in the head."""

import math

import pytest

from collector.errors import QueryError, QuerySyntax, QueryTooExpensive, QueryUnanswerable
from collector.read.metrics import MetricAnswer

T = 1_795_000_000
pytestmark = pytest.mark.usefixtures("loaded")


@pytest.fixture(scope="module")
def loaded(store):
    """Two jobs of two instances, what they run, a histogram, and values no arithmetic likes."""
    from tests.collector.query.promql.samples import SamplesFiller

    fill = SamplesFiller(store)
    for n, (job, instance) in enumerate([("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")], 1):
        fill("g", [(T, float(n)), (T + 60, 10.0 * n)], {"job": job, "instance": instance}, service=f"s-{job}")
    fill("target_info", [(T, 1.0)], {"job": "a", "instance": "1", "host": "h1", "zone": "z"})
    fill("build", [(T, 1.0)], {"job": "a", "version": "v1"})
    fill("build", [(T, 1.0)], {"job": "b", "version": "v2"})
    for bound, count in (("0.1", 1), ("0.2", 3), ("1", 6), ("+Inf", 8)):
        fill("h_bucket", [(T, float(count))], {"job": "a", "le": bound})
    for n, value in enumerate([2.0, 8.0, 1e100, -1e100]):
        fill("huge", [(T, value)], {"n": str(n)})
    fill("odd", [(T, math.inf)], {"n": "inf"})
    fill("odd", [(T, math.nan)], {"n": "nan"})
    fill("odd", [(T, -2.5)], {"n": "minus"})
    fill('we"ird.näme', [(T, 7.0)], {"lab\\el": "va'l\nue"})
    yield
    fill.empty()


def _shown(answer: MetricAnswer) -> dict[str, float]:
    return {
        ",".join(f"{name}={value}" for name, value in one.labels.items()): one.points[0][1]
        for one in answer.series
    }


CASES = {
    "g + 1": {"instance=1,job=a": 2, "instance=2,job=a": 3, "instance=1,job=b": 4, "instance=2,job=b": 5},
    "2 ^ g{job='a'}": {"instance=1,job=a": 2, "instance=2,job=a": 4},
    "g > 3": {"__name__=g,instance=2,job=b": 4},
    "3 < bool g{job='b'}": {"instance=1,job=b": 0, "instance=2,job=b": 1},
    "-g{instance='1'}": {"instance=1,job=a": -1, "instance=1,job=b": -3},
    "g - g{job='a'}": {"instance=1,job=a": 0, "instance=2,job=a": 0},
    "g{job='a'} / ignoring(job) g{job='b'}": {"instance=1": 1 / 3, "instance=2": 0.5},
    "g{job='a'} < ignoring(job) g{job='b'}": {"__name__=g,instance=1": 1, "__name__=g,instance=2": 2},
    "g * on(job) group_left(version) build": {
        "instance=1,job=a,version=v1": 1, "instance=2,job=a,version=v1": 2,
        "instance=1,job=b,version=v2": 3, "instance=2,job=b,version=v2": 4,
    },
    "build - on(job) group_right g{job='a'}": {"instance=1,job=a": 0, "instance=2,job=a": -1},
    "g and on(job) build{version='v1'}": {"__name__=g,instance=1,job=a": 1, "__name__=g,instance=2,job=a": 2},
    "g unless on(job) build{version='v1'}": {"__name__=g,instance=1,job=b": 3, "__name__=g,instance=2,job=b": 4},
    "g{job='a'} or on(job) build": {
        "__name__=g,instance=1,job=a": 1, "__name__=g,instance=2,job=a": 2, "__name__=build,job=b,version=v2": 1,
    },
    "g{job='a'} + fill(0) g{instance='1'}": {"instance=1,job=a": 2, "instance=2,job=a": 2, "instance=1,job=b": 3},
    "sum(g)": {"": 10}, "sum by (job)(g)": {"job=a": 3, "job=b": 7}, "avg without(instance)(g)": {"job=a": 1.5, "job=b": 3.5},
    "count by (nobody)(g)": {"": 4}, "group(g)": {"": 1}, "max by (__name__)(g)": {"__name__=g": 4},
    "sum by (service)(g)": {"service=s-a": 3, "service=s-b": 7},
    "stddev(g)": {"": math.sqrt(1.25)}, "stdvar(g)": {"": 1.25}, "quantile(0.5, g)": {"": 2.5}, "quantile(2, g)": {"": math.inf},
    "topk(1, g)": {"__name__=g,instance=2,job=b": 4}, "bottomk by (job)(1, g)": {"__name__=g,instance=1,job=a": 1, "__name__=g,instance=1,job=b": 3},
    "count(limitk(3, g))": {"": 3}, "count(limit_ratio(0.4, g) or limit_ratio(-0.6, g))": {"": 4},
    "count_values('n', g > bool 2)": {"n=0": 2, "n=1": 2},
    "sum(huge)": {"": 10}, "avg(huge)": {"": 2.5}, "sum(odd{n!='nan'})": {"": math.inf}, "avg(odd{n!='nan'})": {"": math.inf},
    "max(odd)": {"": math.inf}, "min(odd)": {"": -2.5},
    "abs(odd{n='minus'})": {"n=minus": 2.5}, "round(odd{n='minus'})": {"n=minus": -2}, "round(odd{n='minus'}, 2)": {"n=minus": -2},
    "sgn(odd)": {"n=inf": 1, "n=minus": -1, "n=nan": math.nan}, "clamp(g{job='b'}, 3.5, 3.75)": {"instance=1,job=b": 3.5, "instance=2,job=b": 3.75},
    "clamp(g, 2, 1)": {}, "clamp_min(odd{n='minus'}, NaN)": {"n=minus": math.nan},
    "odd % Inf": {"n=inf": math.nan, "n=minus": -2.5, "n=nan": math.nan},
    "histogram_quantile(0.5, h_bucket)": {"job=a": 0.2 + 0.8 / 3}, "histogram_quantile(0.9, h_bucket)": {"job=a": 1},
    "histogram_quantile(0.05, h_bucket)": {"job=a": 0.04}, "histogram_quantile(-1, h_bucket)": {"job=a": -math.inf},
    "histogram_fraction(0.1, 0.6, h_bucket)": {"job=a": (3 + 1.5 - 1) / 8}, "histogram_fraction(-Inf, +Inf, h_bucket)": {"job=a": 1},
    "label_replace(build{job='a'}, 'v', '$1-${n}$$', 'version', '(v)(?P<n>[0-9])')": {"__name__=build,job=a,v=v-1$,version=v1": 1},
    "label_replace(build{job='a'}, 'v', 'x', 'version', 'no')": {"__name__=build,job=a,version=v1": 1},
    "label_join(build{job='a'}, 'j', '-', 'job', 'version')": {"__name__=build,j=a-v1,job=a,version=v1": 1},
    "label_replace(rate({job='a',instance='1'}[2m]), '__name__', 'r', '', '')": {},
    "absent(g)": {}, "absent(nobody{a='b',c=~'d'})": {"a=b": 1}, "absent(sum(nobody))": {"": 1}, "absent_over_time(nobody[5m])": {"": 1},
    "scalar(g{job='a',instance='2'})": {"": 2}, "scalar(g)": {"": math.nan}, "vector(3)": {"": 3}, "time()": {"": T}, "1 + 2 * 3 ^ 2": {"": 19},
    "year()": {"": 2026}, "day_of_week(vector(0))": {"": 4}, "days_in_month(vector(1456790399))": {"": 29}, "hour(vector(-1))": {"": 23},
    "timestamp(g{job='a',instance='1'})": {"instance=1,job=a": T}, "1_000": {"": 1000}, "0x1F": {"": 31}, "- - - 1": {"": -1},
    "g{job=~'a|c',instance!~'2'}": {"__name__=g,instance=1,job=a": 1}, "g{job='a' or instance='2',job='b'}": {"__name__=g,instance=1,job=a": 1, "__name__=g,instance=2,job=a": 2, "__name__=g,instance=2,job=b": 4},
    r"""{__name__='we"ird.näme', "lab\\el"="va'l\nue"}""": {'__name__=we"ird.näme,lab\\el=va\'l\nue': 7},
    "g{service='s-a',instance='1'}": {"__name__=g,instance=1,job=a": 1},
    "sum(abs({__name__=~'g|build',job='a'}))": {"": 4},
    "(g > 99) / on(job) g": {}, "(g < 2) + on(job) group_left g{job='b'}": {}, "nobody * on() g": {},
    "info(g{job='a'})": {"__name__=g,host=h1,instance=1,job=a,zone=z": 1, "__name__=g,instance=2,job=a": 2},
    "info(rate(g[2m]), {host=~'.+'})": {}, "info(g, {host='h1'})": {"__name__=g,host=h1,instance=1,job=a": 1},
    "info(g{instance='1'}, {__name__='build'})": {"__name__=g,instance=1,job=a": 1, "__name__=g,instance=1,job=b": 3},
}  # fmt: skip


@pytest.mark.parametrize("text", CASES)
def test_a_question_has_its_answer(ask, text) -> None:
    """The values and the labels are Prometheus'."""
    assert _shown(ask(text, T)) == pytest.approx(CASES[text], rel=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("g + on(job) build", "many-to-one matching must be explicit"),
        ("build + on(job) g", "many-to-many matching not allowed"),
        ("-{__name__=~'g|build',job='a'} + on(job) group_left g", "many-to-many matching not allowed"),
        ("label_replace(g, 'instance', '', '', '')", "same labelset"),
        ("topk(NaN, g)", "Parameter value is NaN"),
        ("double_exponential_smoothing(g[5m], 2, 0.5)", "smoothing factor"),
        ("histogram_count(g)", "histogram_count()"),
        ("nosuch(g)", "nosuch()"),
    ],
)
def test_what_has_no_answer_is_said_in_words(ask, text, said) -> None:
    """A 422 names the function that is not there, or what cannot be told apart."""
    with pytest.raises(QueryUnanswerable) as refused:
        ask(text, T + 60)

    assert said in refused.value.message
    assert refused.value.status == 422


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("sum(g", 5), ("g{", 2), ("a + + * b", 6), ("g bar", 2), ("sum by a (g)", 4), ("g{a='b' c='d'}", 8),
        ("rate(g[5m]", 10), ("g[5x]", 2), ("", 0), ("é", 0), ("sum(g)) + 1", 6), ("(" * 100 + "g", 64),
        ("g{a=~'('}", 5), ("rate(g)", 7), ("x" * 17_000, 16_384),
    ],
)  # fmt: skip
def test_a_syntax_error_has_its_position(ask, text, position) -> None:
    """It points at the first thing that does not fit."""
    with pytest.raises(QuerySyntax) as refused:
        ask(text, T)

    assert refused.value.position == position


def test_hostile_text_stays_a_value(ask) -> None:
    """Nothing that is asked for becomes SQL."""
    for hostile in ("'); DROP TABLE metric_series; --", "{p0:String}", "\\' OR 1=1", "%s ?", "\u0000"):
        quoted = hostile.replace("\\", "\\\\").replace('"', '\\"').replace("\0", "\\x00")

        assert ask(f'sum by ("{quoted}")(g{{job="{quoted}"}})', T).series == []
        assert ask(f'count(label_join(g, "x", "{quoted}", "job", "instance"))', T).series[0].points == [
            (T * 1000, 4.0)
        ]


def test_a_bad_regular_expression_is_the_askers(ask) -> None:
    """Also where the parser does not look at it."""
    with pytest.raises(QueryError) as refused:
        ask("label_replace(g, 'a', 'b', 'job', '(')", T)

    assert refused.value.code == "bad_regex"


def test_sorted_answers_keep_their_order(ask) -> None:
    """Of an instant query alone; NaN comes last both ways."""
    assert [one.points[0][1] for one in ask("sort_desc(g)", T).series] == [4, 3, 2, 1]
    assert [one.labels["n"] for one in ask("sort(odd)", T).series] == ["minus", "inf", "nan"]
    assert [one.labels["n"] for one in ask("sort_desc(odd)", T).series] == ["inf", "minus", "nan"]
    assert [one.labels["n"] for one in ask("sort_by_label_desc(huge, 'n')", T).series] == ["3", "2", "1", "0"]
    assert [one.points[0][1] for one in ask("topk(2, g)", T).series] == [4, 3]


def test_a_range_of_samples_is_answered_raw(ask) -> None:
    """With the samples' own times; a range query of it is refused."""
    answer = ask("g{job='a',instance='1'}[2m]", T + 60)

    assert (answer.type, answer.series[0].points) == ("matrix", [(T * 1000, 1.0), ((T + 60) * 1000, 10.0)])
    with pytest.raises(QueryError):
        ask("g[2m]", T, T + 60, 15)


def test_types_of_answers(ask) -> None:
    """Scalar, string, vector; over a range everything is a matrix."""
    assert [ask(text, T).type for text in ("1", "'x'", "g")] == ["scalar", "string", "vector"]
    assert ask("'x'", T).text == "x"
    assert ask("time()", T, T + 60, 60).series[0].points == [
        (T * 1000, float(T)),
        ((T + 60) * 1000, T + 60.0),
    ]


def test_at_fixes_the_time_and_offset_moves_it(ask) -> None:
    """``@`` first, then offset; start() and end() are the question's."""
    text = "g{job='a',instance='1'}"

    assert [v for _, v in ask(f"{text} @ {T}", T + 60, T + 120, 60).series[0].points] == [1, 1]
    assert [v for _, v in ask(f"{text} @ end()", T, T + 60, 60).series[0].points] == [10, 10]
    assert [v for _, v in ask(f"{text} @ start()", T, T + 60, 60).series[0].points] == [1, 1]
    assert [v for _, v in ask(f"{text} offset -1m", T, T + 60, 60).series[0].points] == [10, 10]
    assert [v for _, v in ask(f"{text} @ {T + 60} offset 1m", T, T + 60, 60).series[0].points] == [1, 1]
    assert ask(f"sum_over_time({text}[2m] @ {T + 60})", T + 900).series[0].points[0][1] == 11


def test_numbers_may_change_from_point_to_point(ask) -> None:
    """How many are on top, how far is looked ahead, which quantile: each at its time."""
    text = f"scalar(g{{job='a',instance='1'}}) - {1 - 1}"

    topped = ask(f"topk(({text}) / 5 + 0.8, g)", T, T + 60, 60)

    assert sorted((one.labels["instance"], one.labels["job"], one.points) for one in topped.series) == [
        ("1", "b", [((T + 60) * 1000, 30.0)]),
        ("2", "b", [(T * 1000, 4.0), ((T + 60) * 1000, 40.0)]),
    ]
    assert ask(f"count(bottomk({text}, g))", T, T + 60, 60).series[0].points == [
        (T * 1000, 1.0),
        ((T + 60) * 1000, 4.0),
    ]
    assert ask(f"count(limitk({text}, g))", T, T + 60, 60).series[0].points == [
        (T * 1000, 1.0),
        ((T + 60) * 1000, 4.0),
    ]
    line = "g{job='a',instance='1'}[2m]"
    ahead = ask(f"predict_linear({line} @ {T + 60}, time() - {T})", T, T + 120, 60).series[0].points
    assert [value for _, value in ahead] == pytest.approx([1, 19, 37])
    assert ask(f"quantile_over_time(time() - {T}, {line} @ {T + 60})", T, T + 1, 1).series[0].points == [
        (T * 1000, 1.0),
        ((T + 1) * 1000, 10.0),
    ]


def test_limits_say_what_to_narrow(ask) -> None:
    """Too many points or series are a 422."""
    with pytest.raises(QueryTooExpensive, match="longer step"):
        ask("g", T, T + 12_000, 1)
    with pytest.raises(QueryTooExpensive, match="more than 3 series"):
        ask("g", T, series_limit=3)
    with pytest.raises(QueryTooExpensive, match="subquery"):
        ask("sum_over_time(g[30d:1s])", T)
    with pytest.raises(QueryTooExpensive, match="20 selectors"):
        ask(" or ".join(["g"] * 21), T)
    with pytest.raises(QueryTooExpensive, match="nested too deeply"):
        ask("g" + " + 1" * 100, T)
    assert ask("+".join(["1"] * 101), T).series[0].points[0][1] == 101
    with pytest.raises(QueryError, match="step"):
        ask("g", T, T + 60, -1)
    with pytest.raises(QueryError, match="before the start"):
        ask("g", T, T - 60, 60)


def test_odd_questions_are_remarked_on(ask) -> None:
    """In Prometheus' words, and only beside an answer."""
    assert ask("rate(g[2m])", T + 60).infos[0].endswith('_total/_sum/_count/_bucket: "g"')
    assert ask("quantile(2, g)", T).warnings == (
        "PromQL warning: quantile value should be between 0 and 1, got 2",
    )
    assert ask("rate(nobody[2m])", T).infos == ()
