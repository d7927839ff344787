"""What measures is kept over a reload that does not concern it, and ended by one that leaves it out."""

import json
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture
def url():
    """A service that answers anything with a sample."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"a 1\n")

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def config(collector, url, *tables):
    """Settings of an agent with these tables, each of them five times a second."""
    known = {
        "scrape": f'[[scrape]]\nurl = "{url}/metrics"\ninterval_s = 0.2\n',
        "probe": f'[[probe]]\nurl = "{url}/healthz"\ninterval_s = 0.2\n',
        "container": "[container]\nenabled = true\ninterval_s = 0.2\n",
        "files": '[[files]]\npaths = ["/nowhere/*.log"]\n',
    }
    return f'collector = "{collector.url}"\n' + "".join(known[table] for table in tables)


def reload(agent, wait_for, text):
    """Give the agent other settings; returns when it has taken them."""
    before = len(agent.happened("settings_reloaded"))
    file = agent.home / "agent.toml"
    file.write_text(f'data_dir = "{agent.data}"\nreport_interval_s = 0.2\n{text}')
    agent.running().send_signal(signal.SIGHUP)
    wait_for(lambda: len(agent.happened("settings_reloaded")) > before, "the reload")


def kinds(collector, *, stale=False):
    """How many expositions of each kind arrived: of measuring, or of ends."""
    found = {}
    for request in collector.of("/v1/exposition"):
        if (request.headers.get("fuseboard-format") == "stale") == stale:
            kind = request.headers["fuseboard-source"].partition("kind=")[2].partition(",")[0]
            found[kind] = found.get(kind, 0) + 1
    return found


def test_what_is_asked_for_again_goes_on(url, collector, agent, wait_for):
    """No series is ended, the health is not told again, numbers go on without a gap."""
    agent.start(config(collector, url, "scrape", "probe", "container"))
    wait_for(lambda: len(kinds(collector)) == 3 and bool(collector.lines()), "all kinds")

    reload(agent, wait_for, config(collector, url, "files", "container", "probe", "scrape"))
    before = kinds(collector)
    wait_for(lambda: all(kinds(collector)[kind] > before[kind] + 1 for kind in before), "more of all")

    assert kinds(collector, stale=True) == {}
    assert [json.loads(line)["to"] for line in collector.lines()] == ["healthy"]
    assert agent.terminate() == 0
    assert kinds(collector, stale=True) == {"scrape": 1, "probe": 1, "container": 1}
    for kind in ("scrape", "container"):
        numbers = sorted(
            int(r.headers["fuseboard-source"].partition("offset=")[2].partition(",")[0])
            for r in collector.of("/v1/exposition")
            if f"kind={kind}" in r.headers["fuseboard-source"]
        )
        assert numbers == list(range(len(numbers)))


def test_what_is_not_asked_for_any_more_is_ended(url, collector, agent, wait_for):
    """A target that is taken out of the settings has its series ended, once, and may come back."""
    agent.start(config(collector, url, "scrape", "probe"))
    wait_for(lambda: len(kinds(collector)) == 2, "both kinds")

    reload(agent, wait_for, config(collector, url, "probe"))
    wait_for(lambda: kinds(collector, stale=True) == {"scrape": 1}, "the end of the scrape")
    before = kinds(collector)["scrape"]
    reload(agent, wait_for, config(collector, url, "probe", "scrape"))

    wait_for(lambda: kinds(collector)["scrape"] > before, "the scrape again")
    assert kinds(collector, stale=True) == {"scrape": 1}
    assert not collector.conflicts
