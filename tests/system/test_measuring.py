"""A node's agent and a real collector: logs under their services, samples of containers and of a target, its end and its health."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.agents.hosts import Node, cri, json_file

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system"), pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
ENDS = """
SELECT name, labels['service_name'] AS whose, countIf(reinterpretAsUInt64(value) = 0x7ff0000000000002) AS ends,
       count() > ends AS lived, argMax(reinterpretAsUInt64(value) = 0x7ff0000000000002, at) AS ended_last
FROM metric_samples JOIN (SELECT DISTINCT series_id, name, labels FROM metric_series) AS known USING series_id
WHERE name IN ('orders_total', 'up', 'probe_success', 'container_memory_working_set_bytes')
GROUP BY name, whose ORDER BY name, whose
"""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"# TYPE orders counter\norders_total 1\n# EOF\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_what_vanishes_is_ended_and_told(
    serve: Callable[..., Any], tmp_path: Path, poll: Callable[..., Any]
) -> None:
    """A target that goes away ends in the database bit for bit as Prometheus ends it; its health is a log line of the service."""
    served = serve()
    service = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    url = f"http://127.0.0.1:{service.server_address[1]}"
    node = Node(tmp_path / "host")
    node.pod(1, service="checkout").write_bytes(cri("paid 17 EUR"))
    node.container(2, "proxy").write_bytes(json_file("connected"))
    (tmp_path / "agent.toml").write_text(
        f'data_dir = "{tmp_path}/agent"\nreport_interval_s = 1\n' + node.toml(served.url)
        + f'[[scrape]]\nurl = "{url}/metrics"\ninterval_s = 0.3\ntimeout_s = 20\n'
        f'[[probe]]\nurl = "{url}/healthz"\ninterval_s = 0.3\ntimeout_s = 20\nfailures = 2\n'
    )  # fmt: skip
    with (tmp_path / "agent.log").open("wb") as out:
        agent = subprocess.Popen(
            [sys.executable, "-m", "agents", "--config", str(tmp_path / "agent.toml")],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        [paid] = poll(lambda: served.data("/logs", query='"paid 17"'))
        [connected] = poll(lambda: served.data("/logs", query="connected service:proxy"))
        poll(lambda: served.data("/logs", query="event:health.transition to:healthy"))
        service.shutdown()
        service.server_close()
        [told] = poll(lambda: served.data("/logs", query="event:health.transition to:unhealthy"))
    finally:
        agent.terminate()
        agent.wait(60)
    poll(lambda: served.data("/pipeline")[0]["journal"]["segments_waiting"] == 0)
    assert served.stop() == 0

    assert (paid["service"], paid["body"], paid["env"]) == ("checkout", "paid 17 EUR", "test")
    assert paid["resource"]["k8s.namespace.name"] == "shop"
    assert (connected["body"], connected["resource"]["container.name"]) == ("connected", "proxy")
    assert (told["service"], told["severity"], told["attributes"]["code"]) == (
        "node-agent",
        "error",
        "refused",
    )
    rows = served.tables(ENDS)
    assert [(row["name"], row["whose"]) for row in rows] == [
        ("container_memory_working_set_bytes", "checkout"),
        ("container_memory_working_set_bytes", "proxy"),
        ("orders_total", ""),
        ("probe_success", ""),
        ("up", ""),
    ]
    assert {(int(row["ends"]), row["lived"], row["ended_last"]) for row in rows if row["name"] != "up"} == {
        (1, 1, 1)
    }
