"""
The requests of Grafana's Prometheus data source, one by one, in the words of its source.

Source: github.com/grafana/grafana, pkg/promlib: client/client.go (queries as forms, resources by GET or POST with GET as the way out), healthcheck.go,
heuristics.go, converter/prom.go (what it reads of an answer); packages/grafana-prometheus/src: datasource.ts, language_provider.ts, resource_clients.ts.
Grafana itself has not been run here.
"""

from __future__ import annotations

import pytest

from tests.collector.api.prometheus.conftest import NOW_NS

NOW_MS = NOW_NS // 1_000_000
START, END = f"{NOW_MS / 1000 - 3600:.3f}", f"{NOW_MS / 1000:.3f}"
API = "/prometheus/api/v1"


@pytest.fixture(autouse=True)
def filled(ours):
    """A counter of two services, and a histogram."""
    ours.write(
        [
            ({"__name__": "requests_total", "service": name, "code": "200"}, [(NOW_MS - 600_000 + at * 15_000, float(at)) for at in range(41)])
            for name in ("cart", "checkout")
        ]
        + [({"__name__": "latency_seconds_bucket", "le": le}, [(NOW_MS - at * 15_000, count) for at in (1, 0)]) for le, count in (("0.1", 1.0), ("+Inf", 2.0))]
    )  # fmt: skip


def post(client, path, **form):
    """A form, as Go's client sends it."""
    answer = client.post(f"{API}/{path}", data=form, headers={"accept-encoding": "gzip", "user-agent": "Go-http-client/1.1"})  # fmt: skip
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    return answer.json()


def get(client, path, **params):
    """A resource call."""
    answer = client.get(f"{API}/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_save_and_test(client):
    """``1+1`` at the fourth second of 1970, then the build: no features means Prometheus, not Mimir."""
    assert post(client, "query", query="1+1", time="4") == {
        "status": "success",
        "data": {"resultType": "scalar", "result": [4, "2"]},
    }
    assert get(client, "status/buildinfo")["data"].get("features") is None


def test_the_health_check_of_a_data_source_that_was_set_to_get(client):
    """The same by GET."""
    assert get(client, "query", query="1+1", time="4")["data"]["result"] == [4, "2"]


def test_a_panel(client):
    """A range with the interval in seconds as a number with a point, and what the converter reads: resultType before result."""
    answer = client.post(
        f"{API}/query_range",
        data={
            "query": "sum by (service) (rate(requests_total[1m0s]))",
            "start": START,
            "end": END,
            "step": "15",
            "timeout": "60s",
        },
    )

    assert answer.text.startswith('{"status":"success","data":{"resultType":"matrix","result":[{"metric":{')
    series = answer.json()["data"]["result"]
    assert [one["metric"] for one in series] == [{"service": "cart"}, {"service": "checkout"}]
    assert all(float(value) > 0 for _, value in series[0]["values"])


def test_a_table_and_a_stat(client):
    """An instant query at the panel's end."""
    found = post(client, "query", query="sum(requests_total) by (service)", time=END)["data"]

    assert found["resultType"] == "vector"
    assert found["result"][0] == {"metric": {"service": "cart"}, "value": [1795000000, "40"]}


def test_a_heatmap(client):
    """Buckets by le."""
    found = post(client, "query_range", query="sum by (le) (latency_seconds_bucket)", start=START, end=END, step="60")  # fmt: skip

    assert {one["metric"]["le"] for one in found["data"]["result"]} == {"0.1", "+Inf"}


def test_exemplars_of_a_panel(client):
    """An empty list where there are none: a null would be an error there."""
    assert post(client, "query_exemplars", query="rate(requests_total[1m])", start=START, end=END) == {"status": "success", "data": []}  # fmt: skip


def test_the_metrics_browser(client):
    """Names, labels of a metric, values of a label of it; limits and times in seconds."""
    assert get(client, "label/__name__/values", start=START, end=END, limit="40000")["data"] == ["latency_seconds_bucket", "requests_total"]  # fmt: skip
    assert post(client, "labels", start=START, end=END, limit="40000", **{"match[]": '{__name__="requests_total"}'})["data"] == ["__name__", "code", "service"]  # fmt: skip
    assert get(client, "label/service/values", start=START, end=END, limit="40000", **{"match[]": '{__name__="requests_total",code="200"}'})["data"] == ["cart", "checkout"]  # fmt: skip
    assert get(client, "label/__name__/values", start=START, end=END, **{"match[]": '{__name__=~".*req.*"}'})["data"] == ["requests_total"]  # fmt: skip


def test_resources_by_get(client):
    """Labels and series, where the data source was set to GET."""
    assert get(client, "labels", start=START, end=END)["data"] == ["__name__", "code", "le", "service"]
    assert len(get(client, "series", start=START, end=END, **{"match[]": "requests_total"})["data"]) == 2


def test_variables(client):
    """label_names(), label_values(), label_values(metric, label), metrics(regex), query_result(), series by POST."""
    assert "service" in post(client, "labels", start=START, end=END)["data"]
    assert get(client, "label/service/values", start=START, end=END)["data"] == ["cart", "checkout"]
    assert len(post(client, "series", start=START, end=END, **{"match[]": "requests_total"})["data"]) == 2
    assert len(post(client, "query", query="topk(1, requests_total)", time=END)["data"]["result"]) == 1


def test_metadata_for_hints(client):
    """A map from family to a list; what is a counter is told as one."""
    found = get(client, "metadata", limit="10000")["data"]

    assert [entry["type"] for entry in found["requests_total"]] == ["counter"]
    assert get(client, "metadata", limit_per_metric="1", metric="requests_total")["data"].keys() == {"requests_total"}  # fmt: skip


def test_a_path_that_takes_no_form_makes_grafana_ask_again(client):
    """405 (or 400) for a POST is followed by a GET."""
    assert client.post(f"{API}/label/service/values", data={"start": START}).status_code == 405


def test_the_rules_page(client):
    """Rules and alerts have groups, however few there are."""
    assert isinstance(get(client, "rules")["data"]["groups"], list)
    assert isinstance(get(client, "alerts")["data"]["alerts"], list)


def test_an_error_is_read_from_its_body(client):
    """Its kind and its words, beside the status."""
    answer = client.post(f"{API}/query", data={"query": "sum(", "time": END})

    assert answer.status_code == 400
    assert answer.json().keys() == {"status", "errorType", "error"}
