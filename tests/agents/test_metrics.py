"""The agent's own metrics on loopback."""

import http.client
import re

from prometheus_client.parser import text_string_to_metric_families

from agents.metrics import HELP
from tests.conftest import free_port


def test_own_metrics_are_prometheus_text(tmp_path, collector, agent, wait_for, follow_toml):
    """Every metric has help and type, is parsed by Prometheus' own parser, and tells the truth about the spool."""
    (tmp_path / "app.log").write_bytes(b"x\n")
    port = free_port()
    agent.start(f'metrics_listen = "127.0.0.1:{port}"\n' + follow_toml(collector.url, tmp_path / "app.log"))
    wait_for(lambda: bool(collector.lines()) and bool(agent.happened("agent_started")), "the line")
    wait_for(lambda: "shipped_blocks_total" in read(port) and shipped(read(port)) == 1, "the counter")

    families = {family.name: family for family in text_string_to_metric_families(read(port))}

    assert {name.removesuffix("_total") for name in HELP} == set(families)
    labels = families["fuseboard_agent_shipped_blocks"].samples[0].labels
    assert labels == {
        "service": "checkout",
        "env": "test",
        "signal": "logs",
        "source": f"file:{tmp_path}/app.log",
    }


def shipped(text):
    """The counter of shipped blocks."""
    lines = [line for line in text.splitlines() if line.startswith("fuseboard_agent_shipped_blocks_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def read(port):
    """GET /metrics."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_collectors_and_the_process_are_told(tmp_path, collector, agent, wait_for, follow_toml):
    """Which breaker is in which state, what is quarantined, what the agent itself costs."""
    (tmp_path / "app.log").write_bytes(b"x\n")
    collector.script = lambda path, _number: (400, {}) if path == "/v1/lines" else None
    port = free_port()
    agent.start(f'metrics_listen = "127.0.0.1:{port}"\n' + follow_toml(collector.url, tmp_path / "app.log"))
    wait_for(lambda: bool(agent.happened("agent_started")), "the start")
    wait_for(lambda: "fuseboard_agent_quarantine_blocks 1" in read(port), "the rejection")
    text = read(port)
    value = {sample: float(number) for sample, number in re.findall(r"^(\S+) (\S+)$", text, re.MULTILINE)}

    assert value[f'fuseboard_agent_breaker_state{{collector="{collector.url}",state="closed"}}'] == 1
    assert value[f'fuseboard_agent_breaker_state{{collector="{collector.url}",state="open"}}'] == 0
    assert value[f'fuseboard_agent_collector_current{{collector="{collector.url}"}}'] == 1
    assert value["fuseboard_agent_answered_requests_total"] == value["fuseboard_agent_requests_total"] == 1
    assert 0 < value["fuseboard_agent_request_seconds_total"] < 5
    assert value["fuseboard_agent_resident_bytes"] > 1 << 20
    assert value["fuseboard_agent_open_files"] > 3
