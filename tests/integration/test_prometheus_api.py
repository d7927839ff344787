"""A running collector as a Prometheus: written to by remote_write of both versions, asked by promtool and with keys."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

import cramjam
import httpx
import pytest

from tests.collector.api.prometheus.targets import write_request
from tests.collector.formats.write_requests import STALE, Table

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        shutil.which("promtool") is None, reason="Debian's prometheus is installed by `make test`"
    ),
]
_SETTINGS = 'ingest_key = "in"\nread_key = "out"\nretention_days = 65535\n'
_NOW_MS = int(time.time()) * 1000
_FIRST = {"__name__": "shop_orders_total", "kind": "web", "path": '/a "b" ü'}
_SECOND = {"__name__": "shop_temperature", "room": "cellar"}
_OLD = {"__name__": "epoch_total"}


@pytest.fixture(scope="module")
def collector(serve_module: Callable[..., Any], poll: Callable[..., Any]) -> Any:
    """A collector with keys that keeps samples of 1970, and that has some."""
    served = serve_module(_SETTINGS)
    points = [(_NOW_MS - 60_000 + at * 15_000, 2.0 * at) for at in range(5)]
    old = [(at * 60_000, float(at)) for at in range(11)]
    _write(served, write_request([(_FIRST, points), (_OLD, old)]), "application/x-protobuf", "0.1.0")
    table = Table()
    room = dict(_SECOND)
    series = table.series(room.pop("__name__"), **room)
    series.samples.add(value=7.5, timestamp=_NOW_MS - 30_000)
    series.samples.add(value=STALE, timestamp=_NOW_MS - 15_000)
    _write(served, table.body(), "application/x-protobuf;proto=io.prometheus.write.v2.Request", "2.0.0")
    poll(lambda: len(_ask(served, "series", **{"match[]": ["shop_orders_total", "shop_temperature", "epoch_total"]})) == 3)  # fmt: skip
    poll(lambda: _ask(served, "query", query="epoch_total @ 600")["result"])
    poll(lambda: _ask(served, "query", query=f"shop_temperature @ {_NOW_MS / 1000 - 20}")["result"])
    return served


def _write(served: Any, body: bytes, kind: str, version: str) -> None:
    headers = {"Content-Encoding": "snappy", "Content-Type": kind, "X-Prometheus-Remote-Write-Version": version, "Authorization": "Bearer in"}  # fmt: skip
    answer = served.client.post("/api/v1/write", content=bytes(cramjam.snappy.compress_raw(body)), headers=headers)  # fmt: skip
    assert answer.status_code == 204, answer.text


def _ask(served: Any, path: str, **params: Any) -> Any:
    answer = served.client.get(f"/prometheus/api/v1/{path}", params=params, headers={"Authorization": "Bearer out"})  # fmt: skip
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def _promtool(served: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    url = f"http://anyone:out@127.0.0.1:{served.port}/prometheus"
    command = ["promtool", "query", *(url if one == "URL" else one for one in arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_labels_and_values_are_those_that_were_written(collector: Any) -> None:
    """By either version of remote_write; the stale marker ends its series."""
    at = _NOW_MS / 1000
    (orders,) = _ask(collector, "query", query="shop_orders_total", time=at)["result"]
    (room,) = _ask(collector, "query", query="shop_temperature", time=at - 16)["result"]

    assert orders == {"metric": _FIRST, "value": [int(at), "8"]}
    assert room["metric"] == _SECOND
    assert _ask(collector, "query", query="shop_temperature", time=at)["result"] == []
    assert _ask(collector, "series", **{"match[]": '{__name__=~"shop_.*"}'}) == [_FIRST, _SECOND]


def test_samples_of_1970_are_where_they_were(collector: Any) -> None:
    """With ``retention_days`` of 65535: minute by minute from the first."""
    found = _ask(collector, "query_range", query="epoch_total", start=0, end=600, step=60)["result"]

    assert found == [{"metric": _OLD, "values": [[at * 60, str(at)] for at in range(11)]}]
    assert _ask(collector, "query", query="time()", time=120)["result"] == [120, "120"]


@pytest.mark.parametrize(
    ("headers", "auth", "status", "kind"),
    [
        ({}, None, 401, "unauthorized"),
        ({"Authorization": "Bearer nobody's"}, None, 401, "unauthorized"),
        ({"Authorization": "Bearer in"}, None, 403, "forbidden"),
        ({"Authorization": "Bearer out"}, None, 200, None),
        ({}, ("grafana", "out"), 200, None),
        ({}, ("grafana", "in"), 403, "forbidden"),
    ],
)
def test_a_read_key_is_asked_for(
    collector: Any, headers: dict[str, str], auth: tuple[str, str] | None, status: int, kind: str | None
) -> None:
    """Basic or bearer, in Prometheus' shape, at every path and at our own; the probes need none."""
    for path in ("/prometheus/api/v1/query", "/api/v1/metrics/query", "/prometheus/api/v1/nosuch"):
        answer = httpx.get(f"{collector.url}{path}", params={"query": "1"}, headers=headers, auth=auth)

        wanted = 404 if status == 200 and path.endswith("nosuch") else status
        assert answer.status_code == wanted, path
        assert status == 200 or answer.json()["errorType"] == kind
    assert httpx.get(f"{collector.url}/prometheus/-/healthy").status_code == 200
    assert httpx.get(f"{collector.url}/prometheus/-/ready").status_code == 200


def test_promtool_asks_for_an_instant(collector: Any) -> None:
    """As text and as JSON."""
    at = f"--time={_NOW_MS / 1000}"  # of the samples: the suite may have run for longer than the lookback
    plain = _promtool(collector, "instant", at, "URL", "sum by (kind) (shop_orders_total)")
    as_json = _promtool(collector, "-o", "json", "instant", at, "URL", "shop_orders_total")

    assert plain.returncode == 0, plain.stderr
    assert plain.stdout.startswith('{kind="web"} => 8 @[')
    assert json.loads(as_json.stdout)[0]["metric"] == _FIRST


def test_promtool_asks_for_a_range(collector: Any) -> None:
    """In its own words for times."""
    told = _promtool(
        collector, "range", "--start=0", "--end=600", "--step=2m", "URL", "increase(epoch_total[3m1s])"
    )

    assert told.returncode == 0, told.stderr
    assert "@[120]" in told.stdout
    assert "@[600]" in told.stdout


def test_promtool_asks_for_series_and_labels(collector: Any) -> None:
    """Within the years around now."""
    series = _promtool(collector, "series", "--match=shop_orders_total", "--match=shop_temperature", "URL")
    labels = _promtool(collector, "labels", "URL", "kind")

    assert series.returncode == 0, series.stderr
    assert series.stdout.splitlines()[1] == '{__name__="shop_temperature", room="cellar"}'
    assert labels.stdout == "web\n"


def test_promtool_shows_an_error(collector: Any) -> None:
    """Its kind and its words."""
    told = _promtool(collector, "instant", "URL", "sum(")

    assert told.returncode == 1
    assert "bad_data" in told.stderr


def test_another_prometheus_shows_our_rules_to_nobody_without_a_key(collector: Any) -> None:
    """Rules and status are data, too."""
    for path in ("rules", "alerts", "status/buildinfo", "labels", "metadata"):
        assert httpx.get(f"{collector.url}/prometheus/api/v1/{path}").status_code == 401
        assert _ask(collector, path) is not None
