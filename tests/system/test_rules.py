"""Rules of a running collector: samples in over HTTP, alerts and recorded series out, kill -9 in between."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

RULES = """\
groups:
  - name: shop
    interval: 1s
    query_offset: 0s
    rules:
      - record: service:orders:sum
        expr: 'sum by (service_name) (orders)'
        labels: {kind: "recorded"}
      - alert: FewOrders
        expr: 'service:orders:sum < 10'
        labels: {severity: page}
        annotations: {summary: "{{ $labels.service_name }}: {{ $value }}"}
"""


def test_recorded_samples_are_there_once_whatever_is_killed(serve, poll, tmp_path: Path):
    """Each evaluation's sample stands once in the tables, and an alert sees what was recorded."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    served = serve(f'rule_files = ["{rules}"]\ndefault_rules = false\n')

    def orders() -> None:
        body = f'orders{{pod="a"}} 3 {round(time.time() * 1000)}\norders{{pod="b"}} 4\n'
        headers = {"Fuseboard-Resource": "service.name=checkout"}
        assert served.client.post("/v1/exposition", content=body, headers=headers).status_code == 200

    def recorded() -> list[dict[str, object]]:
        orders()
        query = {"query": 'count_over_time(service:orders:sum{kind="recorded"}[5m])'}
        return served.client.get("/prometheus/api/v1/query", params=query).json()["data"]["result"]

    (series,) = poll(recorded)
    assert series["metric"] == {"service_name": "checkout", "kind": "recorded"}
    served.kill()
    served.start()
    before = int(series["value"][1])
    poll(lambda: [one for one in recorded() if int(one["value"][1]) > before + 2])
    (alert,) = poll(lambda: served.data("/alerts"))
    assert alert["labels"] == {
        "alertname": "FewOrders",
        "severity": "page",
        "service_name": "checkout",
        "kind": "recorded",
    }
    assert alert["message"] == "checkout: 7"

    query = "SELECT count() AS n, uniqExact(at) AS times FROM metric_samples WHERE series_id IN (SELECT series_id FROM metric_series WHERE name = 'service:orders:sum')"
    (counted,) = served.client.post("/api/v1/sql", json={"query": query}).json()["data"]
    assert counted["n"] == counted["times"] > 2
