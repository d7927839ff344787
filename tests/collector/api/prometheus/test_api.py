"""The Prometheus HTTP API: shapes of answers and errors, by path."""

from __future__ import annotations

import struct

import pytest

from tests.collector.api.prometheus.conftest import NOW_NS
from tests.collector.api.prometheus.script import STALE

NOW_MS = NOW_NS // 1_000_000
API = "/prometheus/api/v1"
SERIES = [
    ({"__name__": "requests_total", "job": "shop", "code": "200"}, [(NOW_MS - 60_000 + at * 15_000, 10.0 * at) for at in range(5)]),
    ({"__name__": "requests_total", "job": "shop", "code": "500"}, [(NOW_MS - 60_000 + at * 15_000, 1.0 * at) for at in range(5)]),
    ({"__name__": "up", "job": "shop", "instance": "a:80"}, [(NOW_MS - 30_000, 1.0)]),
    ({"__name__": "old", "job": "gone"}, [(NOW_MS - 86_400_000, 7.0)]),
]  # fmt: skip


@pytest.fixture
def filled(ours):
    """Tables with `SERIES`."""
    ours.write(SERIES)
    return ours


def data(client, path, **params):
    """``data`` of a GET that succeeds."""
    answer = client.get(f"{API}/{path}", params=params)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "success"
    return answer.json()["data"]


def error(client, path, **params):
    """(status, errorType, error) of a GET that fails."""
    answer = client.get(f"{API}/{path}", params=params)
    said = answer.json()
    assert said["status"] == "error"
    return answer.status_code, said["errorType"], said["error"]


@pytest.mark.usefixtures("filled")
def test_an_instant_vector(client):
    """Labels, and one value with the time of the question."""
    found = data(client, "query", query="up")

    assert found == {
        "resultType": "vector",
        "result": [
            {"metric": {"__name__": "up", "instance": "a:80", "job": "shop"}, "value": [1795000000, "1"]}
        ],
    }


@pytest.mark.usefixtures("filled")
def test_an_instant_vector_is_the_same_by_post_and_by_get(client):
    """Form or query string, with and without a time."""
    params = {"query": "sum(requests_total)", "time": "2026-11-18T11:06:40Z"}

    assert client.post(f"{API}/query", data=params).json() == client.get(f"{API}/query", params=params).json()


@pytest.mark.usefixtures("filled")
def test_a_matrix(client):
    """Each series with its values by time."""
    found = data(
        client, "query_range", query='requests_total{code="500"}', start=1794999940, end=1795000000, step="30"
    )

    assert found == {
        "resultType": "matrix",
        "result": [
            {
                "metric": {"__name__": "requests_total", "code": "500", "job": "shop"},
                "values": [[1794999940, "0"], [1794999970, "2"], [1795000000, "4"]],
            }
        ],
    }


@pytest.mark.parametrize(
    ("query", "kind", "result"),
    [("1+1", "scalar", [1795000000, "2"]), ('"a\\"✓"', "string", [1795000000, 'a"✓'])],
)
def test_scalars_and_strings_have_a_time(client, query, kind, result):
    """A pair."""
    assert data(client, "query", query=query) == {"resultType": kind, "result": result}


def test_a_time_keeps_its_milliseconds(client):
    """As text in JSON: three digits."""
    assert '"result":[1.500,"1"]' in client.get(f"{API}/query", params={"query": "1", "time": "1.5"}).text


@pytest.mark.usefixtures("filled")
def test_a_limit_cuts_and_says_so(client):
    """The warning is Prometheus'."""
    for path, params in {
        "query": {"query": "requests_total"},
        "query_range": {"query": "requests_total", "start": 1794999940, "end": 1795000000, "step": 30},
    }.items():
        said = client.get(f"{API}/{path}", params={**params, "limit": 1}).json()

        assert len(said["data"]["result"]) == 1
        assert said["warnings"] == ["results truncated due to limit"]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("stats", ["true", "all"])
def test_stats_are_told_where_they_are_asked_for(client, stats):
    """Times and samples; by step with ``all``."""
    found = data(
        client, "query_range", query="requests_total", start=1794999940, end=1795000000, step=30, stats=stats
    )

    assert {"evalTotalTime", "execTotalTime", "queryPreparationTime"} <= set(found["stats"]["timings"])
    assert found["stats"]["samples"]["totalQueryableSamples"] > 0
    assert len(found["stats"]["samples"].get("totalQueryableSamplesPerStep", [])) == (
        3 if stats == "all" else 0
    )


@pytest.mark.usefixtures("filled")
def test_the_lookback_is_the_askers(client):
    """Five minutes without it."""
    asked = {"query": "up", "time": 1795000000 + 200}

    assert len(data(client, "query", **asked)["result"]) == 1
    assert data(client, "query", **asked, lookback_delta="1m")["result"] == []


@pytest.mark.parametrize(
    ("path", "params", "words"),
    [
        ("query", {"query": "1", "time": "yesterday"}, 'invalid parameter "time": cannot parse "yesterday" to a valid timestamp'),
        ("query", {"query": "1", "timeout": "soon"}, 'invalid parameter "timeout": cannot parse "soon" to a valid duration'),
        ("query", {"query": "1", "lookback_delta": "-5m"}, 'invalid parameter "lookback_delta": it must be positive'),
        ("query", {"query": "1", "limit": "-1"}, 'invalid parameter "limit": limit must be non-negative'),
        ("query_range", {"query": "1", "end": 5, "step": 1}, 'invalid parameter "start": cannot parse "" to a valid timestamp'),
        ("query_range", {"query": "1", "start": 5, "step": 1}, 'invalid parameter "end": cannot parse "" to a valid timestamp'),
        ("query_range", {"query": "1", "start": 1, "end": 5}, 'invalid parameter "step": cannot parse "" to a valid duration'),
        ("query_range", {"query": "1", "start": 6, "end": 5, "step": 1}, 'invalid parameter "end": end timestamp must not be before start time'),
        ("query_range", {"query": "1", "start": 1, "end": 5, "step": 0},
         'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer'),
        ("query_range", {"query": "1", "start": 0, "end": 11001, "step": 1},
         "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"),
        ("series", {}, "no match[] parameter provided"),
        ("rules", {"type": "other"}, 'invalid parameter "type": not supported value "other"'),
        ("query_exemplars", {"query": "up", "start": 2, "end": 1}, 'invalid parameter "end": end timestamp must not be before start timestamp'),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(client, path, params, words):
    """400 ``bad_data`` in Prometheus' words."""
    assert error(client, path, **params) == (400, "bad_data", words)


@pytest.mark.parametrize(
    "query", ["", "sum(", "up{", 'up{job=~"("}', "up[", "rate(up)", "1 == 1", "up offset"]
)
@pytest.mark.parametrize("path", ["query", "query_range", "query_exemplars", "format_query"])
def test_an_expression_that_does_not_parse_is_bad_data(client, path, query):
    """400, whatever asks for it."""
    status, kind, _ = error(client, path, query=query, start=1, end=2, step=1)

    assert (status, kind) == (400, "bad_data")


@pytest.mark.usefixtures("filled")
def test_a_range_vector_is_an_answer_to_query_alone(client):
    """``query_range`` refuses it."""
    assert data(client, "query", query="up[5m]")["resultType"] == "matrix"
    assert error(client, "query_range", query="up[5m]", start=1, end=2, step=1)[:2] == (400, "bad_data")


def test_eleven_thousand_points_are_possible(client):
    """One fewer steps than the first refused."""
    found = data(client, "query_range", query="1", start=0, end=11_000, step=1)

    assert len(found["result"][0]["values"]) == 11_001


@pytest.mark.usefixtures("filled")
def test_series_are_those_seen_in_the_window(client):
    """Each with all labels, sorted; several selectors add up; families of metadata are none."""
    everything = data(client, "series", **{"match[]": ["up", '{job="gone"}']})
    lately = data(client, "series", **{"match[]": '{job!=""}', "start": NOW_MS / 1000 - 3600})

    assert everything == [
        {"__name__": "old", "job": "gone"},
        {"__name__": "up", "instance": "a:80", "job": "shop"},
    ]
    assert [one["__name__"] for one in lately] == ["requests_total", "requests_total", "up"]
    assert data(client, "series", **{"match[]": "up", "end": NOW_MS / 1000 - 3600}) == []


@pytest.mark.usefixtures("filled")
def test_series_have_a_limit(client):
    """With the warning."""
    said = client.get(f"{API}/series", params={"match[]": '{job="shop"}', "limit": 2}).json()

    assert (len(said["data"]), said["warnings"]) == (2, ["results truncated due to limit"])
    whole = client.get(f"{API}/series", params={"match[]": '{job="shop"}', "limit": 3}).json()
    assert (len(whole["data"]), whole.get("warnings")) == (3, None)


@pytest.mark.usefixtures("filled")
def test_labels_are_names(client):
    """Sorted, of the chosen series alone where some are chosen."""
    assert data(client, "labels") == ["__name__", "code", "instance", "job"]
    assert data(client, "labels", **{"match[]": "up"}) == ["__name__", "instance", "job"]
    assert client.post(f"{API}/labels", data={"match[]": "up", "limit": "1"}).json()["data"] == ["__name__"]


@pytest.mark.usefixtures("filled")
def test_label_values_are_sorted_and_not_empty(client):
    """Of any label, the name included; of one that nobody has, none."""
    assert data(client, "label/__name__/values") == ["old", "requests_total", "up"]
    assert data(client, "label/code/values") == ["200", "500"]
    assert data(client, "label/code/values", **{"match[]": '{code=~"5.."}'}) == ["500"]
    assert data(client, "label/nosuch/values") == []
    assert data(client, "label/job/values", start=NOW_MS / 1000 - 3600) == ["shop"]


@pytest.mark.usefixtures("ours")
def test_metadata_is_by_family(client, prometheus_store):
    """Type, help and unit; buckets belong to their histogram; ``unknown`` is told only where nothing is known."""
    rows = [
        ("latency_seconds_bucket", "histogram", "seconds", "How long."),
        ("latency_seconds_sum", "histogram", "seconds", "How long."),
        ("requests_total", "counter", "", "Requests."),
        ("requests_total", "unknown", "", ""),
        ("odd", "unknown", "", ""),
    ]
    values = [
        {"series_id": number, "name": name, "type": kind, "unit": unit, "help": told}
        for number, (name, kind, unit, told) in enumerate(rows)
    ]
    prometheus_store.insert("metric_series", values, "metadata-test")

    latency = [{"type": "histogram", "unit": "seconds", "help": "How long."}]
    assert data(client, "metadata") == {
        "latency_seconds": latency,
        "odd": [{"type": "unknown", "unit": "", "help": ""}],
        "requests_total": [{"type": "counter", "unit": "", "help": "Requests."}],
    }
    assert data(client, "metadata", metric="latency_seconds") == {"latency_seconds": latency}
    assert data(client, "metadata", metric="latency") == {}
    assert list(data(client, "metadata", limit=1)) == ["latency_seconds"]


def test_exemplars_lead_to_traces(ours, client, prometheus_store):
    """Those of every series that the expression selects, with trace and span, in the window."""
    ours.write(SERIES)
    (row,) = prometheus_store.query(
        "SELECT series_id FROM metric_series WHERE name = 'requests_total' AND labels['code'] = '500' LIMIT 1"
    ).rows
    told = {
        "series_id": row["series_id"],
        "value": 0.25,
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331",
        "labels": {"user": "x"},
        "retention_days": 3000,
    }
    prometheus_store.insert(
        "exemplars",
        [{**told, "at": f"2026-11-18 11:06:{second}.123"} for second in (10, 20)],
        "exemplar-test",
    )

    found = data(
        client, "query_exemplars", query="sum(rate(requests_total[5m])) / 2", start=1794999960, end=1794999975
    )

    assert found == [
        {
            "seriesLabels": {"__name__": "requests_total", "code": "500", "job": "shop"},
            "exemplars": [
                {
                    "labels": {
                        "trace_id": "0af7651916cd43dd8448eb211c80319c",
                        "span_id": "b7ad6b7169203331",
                        "user": "x",
                    },
                    "value": "0.25",
                    "timestamp": 1794999970.123,
                }
            ],
        }
    ]
    assert data(client, "query_exemplars", query="up") == []
    assert data(client, "query_exemplars", query="1") == []


def test_format_query_puts_an_expression_in_order(client):
    """Spaces as Prometheus writes them."""
    assert data(client, "format_query", query='sum by(job)(rate(a{b="c"}[5m]))>1') == 'sum by (job) (rate(a{b="c"}[5m])) > 1'  # fmt: skip


def test_format_query_keeps_strings_and_times(client):
    """Raw strings become quoted ones, a time before 1970 stays what it was."""
    assert data(client, "format_query", query=r"a{b=~`c\d`} @ -5.5") == r'a{b=~"c\\d"} @ -5.500'


def test_rules_and_alerts_are_our_alerting_in_prometheus_shape(client, alerting):
    """Groups with rules, each with its living alerts; what is resolved is not told."""
    alerting.known = [
        {"id": "r1", "name": "BreakerOpen", "kind": "breaker", "expr": "open for 15s", "for_s": 15.0, "severity": "page", "state": "firing",
         "group": "breakers", "labels": {"severity": "page"}, "annotations": {"summary": "it is open"}},
        {"id": "r2", "name": "Other", "kind": "breaker", "expr": "open for 1s", "for_s": 1.0, "severity": "", "state": "inactive",
         "group": "others", "labels": {}, "annotations": {}},
    ]  # fmt: skip
    firing = {"rule": "BreakerOpen", "rule_id": "r1", "state": "firing", "labels": {"service": "cart"}, "annotations": {"summary": "it is open"},
              "since": "2026-11-18T11:00:00Z", "value": 400.0}  # fmt: skip
    alerting.living = [firing, {**firing, "state": "resolved"}]
    shown = {
        "labels": {"alertname": "BreakerOpen", "service": "cart"},
        "annotations": {"summary": "it is open"},
        "state": "firing",
        "activeAt": "2026-11-18T11:00:00Z",
        "value": "4e+02",
    }

    groups = data(client, "rules")["groups"]

    assert data(client, "alerts") == {"alerts": [shown]}
    assert [(group["name"], len(group["rules"])) for group in groups] == [("breakers", 1), ("others", 1)]
    (rule,) = groups[0]["rules"]
    assert rule["alerts"] == [shown]
    assert {key: rule[key] for key in ("name", "query", "duration", "state", "health", "type", "labels")} == {
        "name": "BreakerOpen",
        "query": "open for 15s",
        "duration": 15,
        "state": "firing",
        "health": "ok",
        "type": "alerting",
        "labels": {"severity": "page"},
    }
    assert data(client, "rules", type="record") == {"groups": []}
    assert [g["name"] for g in data(client, "rules", **{"rule_name[]": "Other"})["groups"]] == ["others"]
    assert data(client, "rules", exclude_alerts="true")["groups"][0]["rules"][0]["alerts"] == []


@pytest.mark.usefixtures("filled")
def test_status_says_whom_one_talks_to(client):
    """A Prometheus of version 3 without features: with some, Grafana would take it for Mimir."""
    build = data(client, "status/buildinfo")

    assert build["version"].startswith("3.")
    assert "features" not in build
    assert data(client, "status/runtimeinfo")["storageRetention"] == "30d"
    assert data(client, "status/flags")["query.lookback-delta"] == "5m"
    assert data(client, "status/config") == {"yaml": ""}
    counted = data(client, "status/tsdb")
    assert counted["headStats"]["numSeries"] == 4
    assert counted["seriesCountByMetricName"][0] == {"name": "requests_total", "value": 2}


def test_probes_answer_in_text(client):
    """Without a key."""
    for path in ("/prometheus/-/healthy", "/prometheus/-/ready"):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/prometheus", "/prometheus/", "/prometheus/api/v1", f"{API}/", f"{API}/nosuch", f"{API}/label/job", f"{API}/query/x"])  # fmt: skip
def test_nothing_else_is_served(client, path):
    """404 in Prometheus' shape."""
    answer = client.get(path)

    assert (answer.status_code, answer.json()["errorType"]) == (404, "not_found")


@pytest.mark.parametrize(("method", "path"), [("PUT", "query"), ("DELETE", "series"), ("POST", "rules"), ("POST", "label/job/values")])  # fmt: skip
def test_other_methods_are_refused(client, method, path):
    """405."""
    assert client.request(method, f"{API}/{path}").status_code == 405


@pytest.mark.usefixtures("filled")
def test_our_pages_ask_the_same_elsewhere(client):
    """``/api/v1/metrics/…``."""
    here = client.get("/api/v1/metrics/query", params={"query": "up"}).json()

    assert here == client.get(f"{API}/query", params={"query": "up"}).json()


def test_long_answers_are_compressed_for_whom_reads_it(client):
    """gzip; the client undoes it."""
    asked = {"query": "1", "start": 0, "end": 5000, "step": 1}
    plain = client.get(f"{API}/query_range", params=asked, headers={"accept-encoding": "identity"})
    packed = client.get(f"{API}/query_range", params=asked, headers={"accept-encoding": "gzip"})

    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()


def test_labels_come_back_as_they_were_sent(ours, client):
    """To the letter: empty ones are none, nothing is added, whatever the characters; several series of one name stay apart."""
    sent = [
        {"__name__": "m", "a": 'quote " back \\ slash', "b": "line\nbreak", "Z": "upper", "_x": "✓ ü", "service_name": "s", "env": "e"},
        {"__name__": "m", "a": "", "b": "only"},
        {"__name__": "m"},
        {"__name__": "m:with:colons", "le": "0.5", "quantile": "0.9"},
        {"job": "no name"},
    ]  # fmt: skip
    ours.write([(labels, [(NOW_MS, 1.0)]) for labels in sent])

    found = [one["metric"] for one in data(client, "query", query='{__name__=~"m.*"} or {job="no name"}')["result"]]  # fmt: skip
    listed = data(client, "series", **{"match[]": ['{__name__=~"m.*"}', '{job="no name"}']})

    wanted = sorted([{k: v for k, v in one.items() if v} for one in sent], key=str)
    assert sorted([dict(sorted(one.items())) for one in wanted], key=str) == sorted(found, key=str) == sorted(listed, key=str)  # fmt: skip


def test_the_stale_marker_keeps_its_bits(ours, client, prometheus_store):
    """A NaN of its own: the series ends there; any other NaN is a value."""
    other = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0]
    ours.write(
        [
            ({"__name__": "ended"}, [(NOW_MS - 20_000, 1.0), (NOW_MS - 10_000, STALE)]),
            ({"__name__": "undefined"}, [(NOW_MS - 20_000, 1.0), (NOW_MS - 10_000, other)]),
        ]
    )

    assert data(client, "query", query="ended")["result"] == []
    assert data(client, "query", query="undefined")["result"][0]["value"][1] == "NaN"
    stored = prometheus_store.query(
        "SELECT hex(reinterpretAsUInt64(value)) AS bits FROM metric_samples WHERE isNaN(value) ORDER BY bits LIMIT 10"
    )
    assert [row["bits"] for row in stored.rows] == ["7FF0000000000002", "7FF8000000000001"]


def test_samples_of_1970_are_kept_and_found(ours, client, prometheus_store):
    """With a retention that reaches back so far they have their own time, and merging does not drop them."""
    ours.write([({"__name__": "epoch"}, [(0, 1.0), (60_000, 2.0)])])
    prometheus_store.command("OPTIMIZE TABLE metric_samples FINAL")

    assert data(client, "query", query="epoch", time=60)["result"][0]["value"] == [60, "2"]
    assert data(client, "query", query="epoch", time=0)["result"][0]["value"] == [0, "1"]


def test_a_sample_that_was_sent_twice_is_one(ours, client):
    """A sender that starts again sends what it is not sure of once more, in another request."""
    series = [({"__name__": "again_total"}, [(NOW_MS - 30_000 + at * 10_000, float(at)) for at in range(4)])]
    ours.write(series)
    ours.write([*series, ({"__name__": "other"}, [(NOW_MS, 1.0)])])

    for query, value in {
        "count_over_time(again_total[1m])": "4",
        "sum_over_time(again_total[1m])": "6",
        "changes(again_total[1m])": "3",
        "avg_over_time(again_total[1m])": "1.5",
        "quantile_over_time(0.5, again_total[1m])": "1.5",
        "rate(again_total[35s])": "0.08571428571428572",
        "irate(again_total[1m])": "0.1",
        "again_total": "3",
    }.items():
        assert data(client, "query", query=query)["result"][0]["value"][1] == value, query
    assert len(data(client, "query", query="again_total[1m]")["result"][0]["values"]) == 4
