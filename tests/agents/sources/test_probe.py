"""Probes: is the service well, how quickly does a change of that become a log line, what cannot fool it."""

import json
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agents.sources.probe import Health, ask


class Service:
    """A /healthz whose status and body can be set."""

    def __init__(self):
        service = self
        self.status, self.body, self.headers = 200, b"ok", {}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(service.status)
                for name, value in service.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(service.body)))
                self.end_headers()
                self.wfile.write(service.body)

            def log_message(self, *_):
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                """A probe that has read enough goes away."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.place}/healthz"


@pytest.fixture
def service():
    """A running service."""
    made = Service()
    threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


def config(collector, url, more=""):
    """Settings of an agent that asks five times a second."""
    return (
        f'collector = "{collector.url}"\n[resource]\n"service.name" = "checkout"\n'
        f'[[probe]]\nurl = "{url}"\ninterval_s = 0.2\ntimeout_s = 30\n{more}'
    )


def transitions(collector):
    """The log lines of health, oldest first."""
    return sorted((json.loads(line) for line in collector.lines()), key=lambda line: line["timestamp"])


def test_changes_of_health_are_log_lines_of_the_service(service, collector, agent, wait_for):
    """Unknown to healthy, to unhealthy after the threshold, and back; each once, under the service's resource."""
    agent.start(config(collector, service.url, "failures = 3\nsuccesses = 2\n"))
    wait_for(lambda: len(transitions(collector)) == 1, "the first health")
    service.status = 503
    wait_for(lambda: len(transitions(collector)) == 2, "the failure")
    service.status = 204
    wait_for(lambda: len(transitions(collector)) == 3, "the recovery")
    assert agent.terminate() == 0

    lines = transitions(collector)
    assert [(line["from"], line["to"]) for line in lines] == [
        ("unknown", "healthy"),
        ("healthy", "unhealthy"),
        ("unhealthy", "healthy"),
    ]
    assert {line["event"] for line in lines} == {"health.transition"}
    assert [line["consecutive_failures"] for line in lines] == [0, 3, 0]
    assert [line["consecutive_successes"] for line in lines] == [2, 0, 2]
    assert (lines[1]["code"], lines[1]["reason"]) == ("status", "answered 503")
    assert not any("service" in line for line in lines)
    request = collector.of("/v1/lines")[0]
    assert "service.name=checkout" in request.headers["fuseboard-resource"]
    assert "kind=health" in request.headers["fuseboard-source"]


def test_each_probe_is_three_samples(service, collector, agent, wait_for):
    """Names of blackbox_exporter, labelled with what was asked; the last word is that they are stale."""
    agent.start(config(collector, service.url))
    wait_for(lambda: bool(collector.of("/v1/exposition")), "a probe")
    service.status = 500
    wait_for(lambda: any(b"} 500\n" in r.body for r in collector.of("/v1/exposition")), "a failed probe")
    assert agent.terminate() == 0

    requests = collector.numbered("/v1/exposition")
    first = requests[0].body.decode()
    assert f'probe_success{{instance="{service.url}"}} 1\n' in first
    assert f'probe_http_status_code{{instance="{service.url}"}} 200\n' in first
    assert re.search(rf'probe_duration_seconds{{instance="{re.escape(service.url)}"}} \d+\.\d+', first)
    assert any(b"probe_success" in r.body and b"} 0\n" in r.body for r in requests)
    assert [r for r in requests if r.headers.get("fuseboard-format") == "stale"] == requests[-1:]


@pytest.mark.parametrize(
    ("status", "headers", "code"),
    [
        (200, {}, ""),
        (204, {"Content-Encoding": "br"}, ""),
        (304, {}, "status"),
        (404, {}, "status"),
        (302, {"Location": "http://127.0.0.1:1/"}, "redirect_refused"),
        (302, {"Location": "/healthz"}, "too_many_redirects"),
    ],
)
def test_2xx_is_well(service, status, headers, code):
    """As blackbox_exporter's default; a redirect elsewhere is another's answer."""
    service.status, service.headers, service.body = status, headers, b""

    assert ask(service.url, 30).code == code


def test_a_huge_body_is_not_read(service):
    """A health check that answers with a report of 50 MB is well, and costs 64 KiB of it."""
    service.body = b"x" * 50_000_000
    began = time.monotonic()

    assert ask(service.url, 30).code == ""
    assert time.monotonic() - began < 20


def test_what_does_not_answer_is_not_well():
    """Silence takes the timeout, no longer; something else than HTTP is said to be so; nobody is refused."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert ask(f"http://127.0.0.1:{port}/", 0.2)[0::2] == ("timeout", 0)
        assert ask(f"tcp://127.0.0.1:{port}", 30)[0::2] == ("", None)

    with socket.socket() as nobody:  # bound, so that nobody else listens there meanwhile
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        assert ask(f"http://127.0.0.1:{port}/", 30)[0::2] == ("refused", 0)
        assert ask(f"tcp://127.0.0.1:{port}", 30)[0::2] == ("refused", None)


def test_a_flapping_service_keeps_its_health():
    """Below the thresholds nothing changes; a transition is told until it has been taken."""
    health = Health(failures=3, successes=2)
    ups = [True, False, True, True]
    reached = [health.judge(success=up) for up in ups]
    assert reached == [None, None, None, "healthy"]
    assert health.judge(success=True) == "healthy"
    health.state = "healthy"

    assert [health.judge(success=up) for up in [False, False, True, False, False]] == [None] * 5
    assert health.judge(success=False) == "unhealthy"
    assert health.in_a_row == 3
