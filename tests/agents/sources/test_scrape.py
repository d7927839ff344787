"""Scraping: bytes as they came, ``up`` with them, gaps visible."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agents.sources.scrape import with_verdict

EXPOSITION = b'# TYPE requests_total counter\nrequests_total{path="/"} 3\n'


@pytest.fixture
def target():
    """A /metrics whose status can be set."""

    class Handler(BaseHTTPRequestHandler):
        status = 200

        def do_GET(self):
            self.send_response(self.status)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(EXPOSITION)))
            self.end_headers()
            self.wfile.write(EXPOSITION)

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server, Handler
    server.shutdown()
    server.server_close()


def test_an_exposition_is_shipped_with_up(target, collector, agent, wait_for):
    """The target's bytes stand unchanged in front of ``up 1``; a failing target is ``up 0``; numbers have no gap."""
    server, handler = target
    port = server.server_address[1]
    url = f"http://127.0.0.1:{port}/metrics"
    agent.start(f'collector = "{collector.url}"\n[[scrape]]\nurl = "{url}"\ninterval_s = 0.2\n')
    wait_for(lambda: bool(collector.of("/v1/exposition")), "a scrape")
    handler.status = 500
    wait_for(lambda: any(b"} 0\n" in r.body for r in collector.of("/v1/exposition")), "a failed scrape")
    agent.kill()
    agent.start()
    before = len(collector.of("/v1/exposition"))
    wait_for(lambda: len(collector.of("/v1/exposition")) > before + 1, "scrapes after the restart")
    assert agent.terminate() == 0

    requests = collector.of("/v1/exposition")
    first = requests[0]
    offsets = sorted(
        int(r.headers["fuseboard-source"].partition("offset=")[2].partition(",")[0]) for r in requests
    )
    assert first.body.startswith(EXPOSITION)
    assert f'up{{instance="127.0.0.1:{port}"}} 1'.encode() in first.body
    assert first.headers["content-type"] == "text/plain; version=0.0.4"
    assert first.headers["fuseboard-scraped-at"].endswith("Z")
    assert "kind=scrape" in first.headers["fuseboard-source"]
    assert offsets == list(range(len(requests)))


def test_openmetrics_keeps_its_last_line():
    """``# EOF`` stays last; a missing line end is made good."""
    body = with_verdict(b"a 1\n# EOF\n", "http://u:p@h:1/m", up=True, duration_s=0.5)
    plain = with_verdict(b"a 1", "http://h:1/m", up=True, duration_s=0.5)

    assert body.startswith(b"a 1\n# TYPE up gauge\n")
    assert body.endswith(b"\n# EOF\n")
    assert b'up{instance="h:1"} 1' in body
    assert plain.startswith(b"a 1\n# TYPE up")
