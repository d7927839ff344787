"""Traces over HTTP: found, paged, counted, compared, and shown whole whatever their spans say."""

import json

import pytest

from collector.api.answer import Page
from collector.api.v1 import traces
from tests.collector.read.real_store import at, log, span, transition

HOUR = 3600


def asked(client, path, model=None):
    """GET *path*, checked against the documented model; returns the body."""
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    if model is not None:
        Page[model].model_validate(answer.json())
    return answer.json()


def found(client, question):
    """Give the ids that a search finds, in order."""
    return [row["trace_id"] for row in asked(client, f"traces?{question}", traces.TraceSummary)["data"]]


def trace_id(number):
    """Give the id of trace *number*."""
    return f"{number:032x}"


def call(number, seconds, ms=10, status="ok", **fields):
    """Give a root span of trace *number*, *seconds* after now."""
    fields = {"trace_id": trace_id(number), "span_id": f"{number:016x}", "status": status, **fields}
    return span(seconds, "web", "GET /", duration_ns=int(ms * 1e6), **fields)


def test_name_status_service_and_query_are_about_one_span(client, fill):
    """A trace whose web span failed and whose db span is named so is not found by what no single span is."""
    fill("spans", [
        call(1, -60, status="error", attributes={"tier": "gold"}),
        span(-60, "db", "SELECT", trace_id=trace_id(1), parent_span_id=f"{1:016x}", kind="client"),
        call(2, -50),
        span(-50, "db", "SELECT", trace_id=trace_id(2), parent_span_id=f"{2:016x}", status="error"),
    ])  # fmt: skip

    assert found(client, "service=db&name=SELECT&status=error") == [trace_id(2)]
    assert found(client, "service=web&status=error") == [trace_id(1)]
    assert found(client, "name=SELECT&query=tier:gold") == []
    assert found(client, "service=web&query=tier:gold") == [trace_id(1)]
    assert found(client, "name=SELECT") == [trace_id(2), trace_id(1)]
    assert found(client, "error=true&service=db") == [trace_id(2), trace_id(1)]
    assert found(client, "error=false") == []


def test_durations_are_a_half_open_range(client, fill):
    """Neighbouring ranges share no trace and lose none; the slowest may come first."""
    fill("spans", [call(1, -60, 100), call(2, -50, 200), call(3, -40, 50)])

    assert found(client, "min_duration_ms=100&max_duration_ms=200") == [trace_id(1)]
    assert found(client, "min_duration_ms=200") == [trace_id(2)]
    assert found(client, "order=slowest") == [trace_id(2), trace_id(1), trace_id(3)]


def test_the_root_is_one_span_and_the_earliest(client, fill):
    """Of two spans without a parent the earlier gives service and name; while none has come, the earliest span does and this is said."""
    common = {"trace_id": trace_id(1)}
    fill("spans", [span(-60, "a", "zzz", **common), span(-59, "z", "aaa", **common)])
    common = {"trace_id": trace_id(2), "parent_span_id": "gone"}
    fill("spans", [span(-50, "late", "second", **common), span(-51, "early", "first", **common)])

    rows = asked(client, "traces", traces.TraceSummary)["data"]

    said = [(row["root_service"], row["root_name"], row["root_missing"]) for row in rows]
    assert said == [("early", "first", True), ("a", "zzz", False)]


def test_a_clock_that_is_behind_makes_no_trace_long(client, fill):
    """A trace begins with its root and lasts at least as long, whatever another clock says; what comes after the root still counts."""
    fill("spans", [
        call(1, -60, 100), span(-90, "pay", "charge", trace_id=trace_id(1), parent_span_id=f"{1:016x}"),
        call(2, -50, 100), span(-49, "mail", "send", trace_id=trace_id(2), parent_span_id=f"{2:016x}", kind="consumer"),
    ])  # fmt: skip

    rows = asked(client, "traces", traces.TraceSummary)["data"]

    assert [(row["start"], row["duration_ms"]) for row in rows] == [
        (at(-50).replace(" ", "T") + "Z", 1010), (at(-60).replace(" ", "T") + "Z", 100),
    ]  # fmt: skip
    assert found(client, "min_duration_ms=101") == [trace_id(2)]
    assert found(client, f"start={rows[1]['start']}&end={rows[0]['start']}") == [trace_id(1)]


def test_a_trace_indexed_before_roots_were_kept_has_its_root(client, fill):
    """Rows of the index that an earlier schema wrote show the root they know, or that it is missing."""
    common = {
        "day": at(0)[:10],
        "retention_days": 3000,
        "start": at(-60),
        "end": at(-59),
        "spans": 1,
        "errors": 0,
        "services": ["web"],
    }
    fill("trace_index", [
        {**common, "trace_id": trace_id(1), "root_service": "web", "root_name": "GET /"},
        {**common, "trace_id": trace_id(2), "root_service": "", "root_name": ""},
    ])  # fmt: skip

    rows = asked(client, "traces", traces.TraceSummary)["data"]

    said = [(row["root_service"], row["root_name"], row["root_missing"]) for row in rows]
    assert said == [("", "", True), ("web", "GET /", False)]


@pytest.mark.parametrize("order", ["newest", "slowest"])
def test_pages_neither_skip_nor_repeat(client, fill, order):
    """Equal times and durations, traces that arrive and roots that come late between two pages: each old trace is shown once."""
    fill(
        "spans",
        [call(number, -100 - number // 4, 10 + number % 3, parent_span_id="root") for number in range(40)],
    )
    seen, cursor = [], ""
    for turn in range(20):
        body = asked(
            client,
            f"traces?limit=7&order={order}&cursor={cursor}" if cursor else f"traces?limit=7&order={order}",
        )
        seen += [row["trace_id"] for row in body["data"]]
        cursor = body["next_cursor"]
        if cursor is None:
            break
        fill("spans", [call(1000 + turn, -1, 500)])
        if order == "newest":
            fill("spans", [span(-300, "web", "root", trace_id=seen[-1], span_id="root")])

    assert sorted(seen) == [trace_id(number) for number in range(40)]


def test_a_trace_belongs_to_the_window_it_began_in(client, fill):
    """Spans of later hours do not bring it into a later window, whether this is short or long."""
    fill(
        "spans",
        [call(1, -3 * HOUR), span(-60, "web", "late", trace_id=trace_id(1), parent_span_id=f"{1:016x}")],
    )

    assert found(client, "start=-1h") == []
    assert found(client, "start=-12h&end=-2h") == [trace_id(1)]
    assert found(client, "start=-4h&end=-2h") == [trace_id(1)]


def test_an_unknown_field_is_reported(client, fill):
    """A search by a field that no span has finds nothing and says why; one by a known field does not."""
    fill("spans", [call(1, -60, attributes={"tier": "gold"})])

    assert asked(client, "traces?query=teir:gold")["warnings"] == [
        "unknown field 'teir': no column, and no span of the window has it"
    ]
    assert "warnings" not in asked(client, "traces?query=tier:silver")


def test_a_heatmap_counts_every_trace_once(client, fill):
    """Cells carry traces and failures between edges that, asked as filters, give just these traces."""
    fill(
        "spans",
        [
            call(number, -60 * number - 1, 2**number, "error" if number % 4 == 0 else "ok")
            for number in range(16)
        ],
    )

    body = asked(client, "traces/heatmap?columns=30&rows=12", traces.Heatmap)["data"][0]

    assert (body["traces"], body["errors"]) == (16, 4)
    assert sum(cell["traces"] for cell in body["cells"]) == 16
    assert len(body["durations_ms"]) - 1 <= 12
    for cell in body["cells"]:
        start, end = body["times"][cell["column"] : cell["column"] + 2]
        low, high = body["durations_ms"][cell["row"] : cell["row"] + 2]
        ids = found(client, f"start={start}&end={end}&min_duration_ms={low}&max_duration_ms={high}")
        assert len(ids) == cell["traces"]


def test_a_heatmap_of_nothing_is_empty(client):
    """No trace: no rows, no cells, the time axis all the same."""
    body = asked(client, "traces/heatmap", traces.Heatmap)["data"][0]

    assert (body["durations_ms"], body["cells"], body["traces"]) == ([], [], 0)
    assert len(body["times"]) > 30


def shop(slow):
    """Give 200 traces; those in *slow* took long because their payment asked replica-2 for tier gold."""
    for number in range(200):
        is_slow = number in slow
        tier = "gold" if is_slow or number % 10 == 0 else "basic"
        yield call(
            number, -10 - number, 900 if is_slow else 20, attributes={"tier": tier, "user": str(number)}
        )
        yield span(-10 - number, "payment", "INSERT", trace_id=trace_id(number), parent_span_id=f"{number:016x}", kind="client",
                   attributes={"db.instance": "replica-2" if is_slow else "replica-1"}, resource={"service.version": "2.3"})  # fmt: skip


def test_a_comparison_ranks_what_explains_the_slow_ones(client, fill):
    """The replica that only slow traces asked comes first, the tier that most of them had after it; ids and what all share explain nothing."""
    fill("spans", list(shop(slow=set(range(0, 40, 2)))))

    body = asked(client, "traces/compare?selected_min_ms=100", traces.Comparison)["data"][0]

    assert (body["selected"], body["rest"]) == (20, 180)
    ranked = [(pair["service"], pair["key"], pair["value"]) for pair in body["pairs"] if pair["score"] > 0]
    assert set(ranked[:2]) == {
        ("payment", "db.instance", "replica-2"),
        ("payment", "db.instance", "replica-1"),
    }
    assert set(ranked[2:]) == {("web", "tier", "gold"), ("web", "tier", "basic")}
    gold = next(pair for pair in body["pairs"] if pair["value"] == "gold")
    assert (gold["selected"], gold["rest"]) == (20, 16)
    assert gold["selected_share"] == 1
    assert gold["score"] < gold["selected_share"] - gold["rest_share"]


def test_a_comparison_needs_both_sides(client, fill):
    """All or none selected: the counts are told, nothing is ranked."""
    fill("spans", [call(1, -60)])

    for question, counts in (("selected_min_ms=0", (1, 0)), ("selected_error=true", (0, 1))):
        body = asked(client, f"traces/compare?{question}", traces.Comparison)["data"][0]
        assert (body["selected"], body["rest"], body["sample"], body["pairs"]) == (*counts, None, [])


def test_long_values_are_cut_for_comparing(client, fill):
    """A value of a megabyte is counted by its beginning and marked."""
    huge = "x" * 1_000_000
    fill("spans", [call(1, -60, 500, attributes={"stack": huge}), call(2, -60)])

    pairs = asked(client, "traces/compare?selected_min_ms=100", traces.Comparison)["data"][0]["pairs"]

    (stack,) = (pair for pair in pairs if pair["key"] == "stack")
    assert (len(stack["value"]), stack["cut"], stack["selected"]) == (256, True, 1)


@pytest.mark.parametrize(
    ("path", "code", "param"),
    [
        ("traces?min_duration_ms=-1", "bad_parameter", "min_duration_ms"),
        ("traces?max_duration_ms=soon", "bad_parameter", "max_duration_ms"),
        ("traces?max_duration_ms=nan", "bad_parameter", "max_duration_ms"),
        ("traces?status=broken", "bad_parameter", "status"),
        ("traces?order=oldest", "bad_parameter", "order"),
        ("traces?cursor=!!!", "bad_cursor", "cursor"),
        ("traces?cursor=WzEsMl0", "bad_cursor", "cursor"),
        ("traces?colour=red", "unknown_parameter", "colour"),
        ("traces?query=(", "query_syntax", "query"),
        ("traces/heatmap?columns=0", "bad_parameter", "columns"),
        ("traces/heatmap?rows=101", "bad_parameter", "rows"),
        ("traces/heatmap?start=now&end=-1h", "bad_range", "end"),
        ("traces/compare", "nothing_selected", "selected_min_ms"),
        ("traces/compare?selected_start=yesterday", "bad_time", "selected_start"),
        ("traces/compare?selected_min_ms=1e99", "bad_parameter", "selected_min_ms"),
    ],
)
def test_bad_questions_are_said_to_be(client, path, code, param):
    """Each is a 400 with the parameter's name."""
    answer = client.get(f"/api/v1/{path}")

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)


def test_a_cursor_made_by_somebody_else_is_refused(client):
    """Times beyond all clocks, another order: 400, never a 500."""
    from collector.read.cursors import write_cursor

    for parts in (
        (0, 10**30, "newest", 1, "a", []),
        (5, 4, "newest", 1, "a", []),
        (0, 9, "slowest", 1, "a", []),
        (0, 9, "newest", -1, "a", []),
    ):
        answer = client.get(f"/api/v1/traces?cursor={write_cursor(*parts)}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_cursor")


def test_a_trace_is_one_time_line(client, fill):
    """Spans, log records and transitions stand in the order in which they happened, clocks corrected, the original times kept."""
    ids = {"trace_id": trace_id(7)}
    fill("spans", [
        call(7, -30, 1000),
        span(-95, "pay", "charge", span_id="inner", parent_span_id=f"{7:016x}", duration_ns=400_000_000, **ids),
        span(-30.5, "lost", "orphan", span_id="orphan", parent_span_id="gone", **ids),
    ])  # fmt: skip
    fill(
        "logs",
        [log(-94.9, "charging", service="pay", span_id="inner", **ids), log(-29.9, "done", line=1, **ids)],
    )
    fill("breaker_transitions", [transition(-29.5, "web", "pay", "closed>open", trace_id=trace_id(7))])

    row = asked(client, f"traces/{trace_id(7)}", traces.Trace)["data"][0]

    inner = row["spans"][0]
    assert (inner["span_id"], inner["skew_ns"], inner["start"][:19]) == (
        "inner",
        65_300_000_000,
        at(-95)[:10] + "T" + at(-95)[11:19],
    )
    lists = {"span": "spans", "log": "logs", "transition": "transitions"}
    order = [row[lists[entry["kind"]]][entry["index"]] for entry in row["timeline"]]
    assert [each.get("name") or each.get("body") or each["to"] for each in order] == [
        "orphan", "GET /", "done", "charge", "charging", "open",
    ]  # fmt: skip
    assert [entry["at"] for entry in row["timeline"]] == sorted(entry["at"] for entry in row["timeline"])
    assert row["logs"][0]["skew_ns"] == inner["skew_ns"]
    assert row["missing_parents"] == [{"span_id": "gone", "children": 1}]
    assert [each["missing_parent"] for each in row["spans"]] == [False, True, False]
    assert [(each["span_id"][-5:], each["duration_ns"] // 10**6) for each in row["critical_path"]] == [
        ("00007", 300), ("inner", 400), ("00007", 300),
    ]  # fmt: skip
    assert [(each["name"], each["critical_ns"] // 10**6) for each in row["operations"][:2]] == [
        ("GET /", 600),
        ("charge", 400),
    ]


def test_hostile_spans_are_shown(client, fill):
    """Rings, twins, spans of centuries and of no time, attributes of a megabyte: the trace is answered whole."""
    ids = {"trace_id": trace_id(8)}
    hostile = [
        span(-30, "a", "ring", span_id="a", parent_span_id="b", **ids),
        span(-30, "a", "ring", span_id="b", parent_span_id="a", **ids),
        span(-30, "a", "self", span_id="c", parent_span_id="c", **ids),
        span(-30, "a", "twin", span_id="d", parent_span_id="c", **ids),
        span(-30, "a", "twin", span_id="d", parent_span_id="c", **ids),
        span(-30, "a", "for ever", span_id="e", duration_ns=2**64 - 1, **ids),
        span(-30, "a", "no time", span_id="f", parent_span_id="e", duration_ns=0, **ids),
        span(-30, "", "", span_id="", parent_span_id="", **ids),
        span(-30, "a", "huge", span_id="g", attributes={"k" * 10_000: "v" * 1_000_000}, **ids),
    ]
    fill("spans", hostile)

    row = asked(client, f"traces/{trace_id(8)}", traces.Trace)["data"][0]

    assert len(row["spans"]) == len(hostile)
    assert sum(each["duplicate"] for each in row["spans"]) == 1
    assert row["values_cut"] is False
    assert found(client, "") == [trace_id(8)]
    assert json.dumps(asked(client, "traces/heatmap")["data"][0])


def test_a_trace_too_large_for_one_answer_is_cut(client, fill):
    """Seventy megabytes of attributes: every span, its values' beginnings, and the answer says so."""
    ids = {"trace_id": trace_id(6)}
    wide = {f"k{number}": "v" * 100_000 for number in range(10)}
    fill(
        "spans",
        [
            span(-30 + i / 1e3, "a", "wide", span_id=f"{i:x}", attributes={**wide, "n": str(i)}, **ids)
            for i in range(70)
        ],
    )

    row = asked(client, f"traces/{trace_id(6)}", traces.Trace)["data"][0]

    assert (len(row["spans"]), row["values_cut"]) == (70, True)
    assert {len(value) for value in row["spans"][7]["attributes"].values()} == {256, 1}


def test_ten_thousand_spans_are_one_answer(client, fill):
    """Nothing is left out, deep or broad; beyond twenty thousand the total says so."""
    ids = {"trace_id": trace_id(9)}
    spans = [
        span(-30 + i / 1e4, "a", "deep", span_id=f"{i}", parent_span_id=f"{i - 1}" if i else "", **ids)
        for i in range(3000)
    ]
    spans += [
        span(-29 + i / 1e4, "b", "broad", span_id=f"b{i}", parent_span_id="0", **ids) for i in range(7000)
    ]
    fill("spans", spans)

    row = asked(client, f"traces/{trace_id(9)}")["data"][0]

    assert len(row["spans"]) == row["spans_total"] == len(row["timeline"]) == 10_000
    assert {each["name"]: each["spans"] for each in row["operations"]} == {"deep": 3000, "broad": 7000}


def test_log_records_without_spans_are_a_trace(client, fill):
    """While no span has come, the trace is its log records."""
    fill("logs", [log(-60, "hello", trace_id=trace_id(5))])

    row = asked(client, f"traces/{trace_id(5)}", traces.Trace)["data"][0]

    assert ([each["body"] for each in row["logs"]], row["spans"], row["critical_path"]) == (["hello"], [], [])
    assert [entry["kind"] for entry in row["timeline"]] == ["log"]
