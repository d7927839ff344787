"""Debian's collectd posts what it measures of this machine to a running collector, by the plugin write_http."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        shutil.which("collectd", path="/usr/sbin:/usr/bin") is None,
        reason="Debian's collectd is installed by `make test`",
    ),
]
_SETTINGS = """
Hostname "web-1"
FQDNLookup false
Interval 1
BaseDir "{folder}"
PIDFile "{folder}/pid"
TypesDB "/usr/share/collectd/types.db"
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File STDOUT
</Plugin>
LoadPlugin cpu
LoadPlugin memory
LoadPlugin load
LoadPlugin interface
LoadPlugin write_http
<Plugin write_http>
  <Node "fuseboard">
    URL "{url}/collectd-post"
    Format "JSON"
    Header "Authorization: Bearer hosts-key"
    Header "Fuseboard-Resource: service.name=hosts,deployment.environment.name=prod"
    LogHttpError true
  </Node>
</Plugin>
"""
SAMPLES = """
SELECT name, type, service, env, labels, count() AS samples, min(s.value) AS least, max(s.value) AS most
FROM metric_samples AS s JOIN metric_series AS m USING series_id GROUP BY ALL ORDER BY name LIMIT 1000
"""


def ask(served: Any) -> list[dict[str, Any]]:
    """The series so far, with their samples counted."""
    answer = served.client.post("/api/v1/sql", json={"query": SAMPLES}, headers={"Authorization": "Bearer read-key"})  # fmt: skip
    return list(answer.raise_for_status().json()["data"])


@pytest.fixture
def collectd(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Starts collectd towards a collector; returns its log."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(url: str) -> Path:
        settings = tmp_path / "collectd.conf"
        settings.write_text(_SETTINGS.format(folder=tmp_path, url=url))
        command = [shutil.which("collectd", path="/usr/sbin:/usr/bin"), "-f", "-C", settings]
        with (tmp_path / "collectd.log").open("ab") as log:
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        return tmp_path / "collectd.log"

    yield start
    for process in processes:
        process.terminate()
        process.wait(timeout=60)


def test_a_hosts_measurements_are_series(
    serve: Callable[..., Any], poll: Callable[..., Any], collectd: Callable[[str], Path]
) -> None:
    """Named as collectd_exporter names them; what only grows is a counter; the key and the resource come in headers."""
    served = serve('ingest_key = "hosts-key"\nread_key = "read-key"\n')
    log = collectd(served.url)

    def found() -> dict[str, list[dict[str, Any]]] | None:
        rows = ask(served)
        by_name: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            by_name.setdefault(row["name"], []).append(row)
        wanted = {"collectd_cpu_total", "collectd_memory", "collectd_load_shortterm", "collectd_interface_if_octets_rx_total"}  # fmt: skip
        return by_name if wanted <= by_name.keys() and min(int(row["samples"]) for row in by_name["collectd_memory"]) >= 2 else None  # fmt: skip

    series = poll(found, 90)

    cpu = series["collectd_cpu_total"][0]
    assert (cpu["type"], cpu["service"], cpu["env"]) == ("counter", "hosts", "prod")
    assert {"instance", "job", "cpu", "type"} == cpu["labels"].keys()
    assert cpu["labels"]["instance"] == "web-1"
    assert {row["labels"]["memory"] for row in series["collectd_memory"]} >= {"used", "free"}
    assert {row["type"] for row in series["collectd_memory"]} == {"gauge"}
    lo = poll(lambda: [row for row in ask(served) if row["name"] == "collectd_interface_if_octets_rx_total" and row["labels"]["interface"] == "lo"])  # fmt: skip
    assert float(lo[0]["most"]) >= float(lo[0]["least"])
    assert "write_http plugin: curl_easy_perform failed" not in log.read_text()
    assert "HTTP Error code" not in log.read_text()
