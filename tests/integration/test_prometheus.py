"""Debian's Prometheus scrapes a small target and writes what it found to a running collector: exactly that arrives."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import free_port

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="Debian's prometheus is installed by `make test`"
    ),
]

_SETTINGS = """
global: {{scrape_interval: 1s, external_labels: {{env: test}}}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
remote_write:
  - url: {collector}/api/v1/write
    send_exemplars: true
    queue_config: {{batch_send_deadline: 1s, retry_on_http_429: true}}
    metadata_config: {{send_interval: 1s}}
"""
_CHOSEN = "{job='shop'}"
_SAMPLES = """
SELECT name, toUnixTimestamp64Milli(at) AS ms, value, isNaN(value) AS stale FROM metric_samples JOIN
(SELECT DISTINCT series_id, name FROM metric_series WHERE labels['job'] = 'shop' AND env = 'test' AND service = 'shop') AS series USING (series_id)
"""
_FAMILY = "SELECT type, help FROM metric_series WHERE name = 'orders_total' AND empty(labels) LIMIT 1"


class Target:
    """A target whose counter is the number of the scrape."""

    def __init__(self) -> None:
        self.scrapes = 0
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                target.scrapes += 1
                body = f'# HELP orders_total Orders.\n# TYPE orders_total counter\norders_total{{kind="web"}} {target.scrapes}\n'.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def target() -> Iterator[Target]:
    """Something to scrape."""
    made = Target()
    yield made
    made.close()


def _prometheus(folder: Path, target: Target, collector: str, port: int) -> subprocess.Popen[bytes]:
    settings = folder / "prometheus.yml"
    settings.write_text(_SETTINGS.format(target=target.port, collector=collector))
    command = [
        "prometheus", f"--config.file={settings}", f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (folder / "prometheus.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)


def _known(port: int) -> dict[tuple[str, int], float]:
    """What Prometheus itself holds: (name, ms) -> value."""
    answer = httpx.get(
        f"http://127.0.0.1:{port}/api/v1/query", params={"query": f"{_CHOSEN}[10m]"}, timeout=60
    ).json()
    return {
        (series["metric"]["__name__"], round(at * 1000)): float(value)
        for series in answer["data"]["result"]
        for at, value in series["values"]
    }


def _asked(served: Any, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = served.client.post("/api/v1/sql", json={"query": query}).json()["data"]
    return found


def _by_time(rows: list[dict[str, Any]]) -> dict[tuple[str, int], float]:
    return {(row["name"], int(row["ms"])): row["value"] for row in rows}


def test_every_sample_of_prometheus_arrives(
    serve: Callable[..., Any], poll: Callable[..., Any], target: Target, tmp_path: Path
) -> None:
    """The collector's samples of the job are Prometheus' own, by name, millisecond and value; its metadata is there too."""
    served, port = serve(), free_port()
    prometheus = _prometheus(tmp_path, target, served.url, port)
    try:
        poll(lambda: target.scrapes >= 5 and len(_known(port)) >= 20, within_s=60)
        wanted = _known(port)
        # What it scraped in its last milliseconds it may forget as it ends.
        poll(lambda: wanted.keys() <= _by_time(_asked(served, _SAMPLES)).keys())
        poll(lambda: _asked(served, _FAMILY))
    finally:
        prometheus.terminate()
        prometheus.wait(timeout=90)
    assert served.stop() == 0

    rows = served.tables(_SAMPLES)
    found = _by_time(rows)

    assert len(found) == len(rows)
    assert wanted.items() <= found.items()
    assert {name for name, _ in found} >= {"orders_total", "up", "scrape_duration_seconds"}
    (family,) = served.tables(_FAMILY)
    assert family == {"type": "counter", "help": "Orders."}
