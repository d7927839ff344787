"""Scraping: bytes as they came, ``up`` with them, gaps visible, ends marked."""

import base64
import gzip
import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agents.sources.last_good import LastGood
from agents.sources.schedule import Slots
from agents.sources.scrape import with_verdict

EXPOSITION = b'# TYPE requests_total counter\nrequests_total{path="/"} 3\n'


class Target:
    """A /metrics whose answers can be set; it keeps the headers it was asked with."""

    def __init__(self):
        self.status, self.body, self.headers = 200, EXPOSITION, {"Content-Type": "text/plain; version=0.0.4"}
        self.asked = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self.server.daemon_threads = True
        self.place = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.place}/metrics"

    def start(self):
        """Serve in a thread."""
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self


def handler(target):
    """A request handler that answers as *target* says."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            target.asked.append(dict(self.headers))
            self.send_response(target.status)
            for name, value in target.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(target.body)))
            self.end_headers()
            self.wfile.write(target.body)

        def log_message(self, *_):
            """Say nothing."""

    return Handler


@pytest.fixture
def target():
    """A running target."""
    made = Target().start()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def secure_target(tmp_path):
    """A target that speaks TLS and wants a certificate of us; its authority is also the only one it trusts."""
    if not shutil.which("openssl"):
        pytest.skip("makes a certificate with openssl")
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-days", "2", *names],
        check=True, capture_output=True,
    )  # fmt: skip
    made = Target()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    context.load_verify_locations(tmp_path / "cert.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    made.server.socket = context.wrap_socket(
        made.server.socket, server_side=True, do_handshake_on_connect=False
    )
    made.url = f"https://{made.place}/metrics"
    yield made.start()
    made.server.shutdown()
    made.server.server_close()


def config(collector, url, more=""):
    """Settings of an agent that scrapes *url* five times a second."""
    return f'collector = "{collector.url}"\n[[scrape]]\nurl = "{url}"\ninterval_s = 0.2\n{more}'


def scrapes(collector, *, stale=False):
    """The expositions that arrived: those of scrapes, or those that end them."""
    return [
        request
        for request in collector.numbered("/v1/exposition")
        if (request.headers.get("fuseboard-format") == "stale") == stale
    ]


def test_an_exposition_is_shipped_with_up(target, collector, agent, wait_for):
    """The target's bytes stand unchanged in front of ``up 1``; a failing target is ``up 0``; numbers have no gap."""
    agent.start(config(collector, target.url))
    wait_for(lambda: bool(collector.of("/v1/exposition")), "a scrape")
    target.status = 500
    wait_for(lambda: any(b"} 0\n" in r.body for r in collector.of("/v1/exposition")), "a failed scrape")
    agent.kill()
    agent.start()
    before = len(collector.of("/v1/exposition"))
    wait_for(lambda: len(collector.of("/v1/exposition")) > before + 1, "scrapes after the restart")
    assert agent.terminate() == 0

    requests = collector.numbered("/v1/exposition")
    first = requests[0]
    offsets = sorted(
        int(r.headers["fuseboard-source"].partition("offset=")[2].partition(",")[0]) for r in requests
    )
    assert first.body.startswith(EXPOSITION)
    assert f'up{{instance="{target.place}"}} 1'.encode() in first.body
    assert f'scrape_samples_scraped{{instance="{target.place}"}} 1\n'.encode() in first.body
    assert first.headers["content-type"] == "text/plain; version=0.0.4"
    assert first.headers["fuseboard-scraped-at"].endswith("Z")
    assert "kind=scrape" in first.headers["fuseboard-source"]
    assert offsets == list(range(len(requests)))


def test_a_target_that_vanishes_is_ended_once(target, collector, agent, wait_for):
    """The first failure ships the last good exposition as stale, at the failed scrape's time, without ``up``."""
    agent.start(config(collector, target.url))
    wait_for(lambda: bool(scrapes(collector)), "a scrape")
    target.status = 503
    wait_for(
        lambda: sum(b"up{" in r.body and b"} 0\n" in r.body for r in scrapes(collector)) >= 3, "failures"
    )

    [ended] = scrapes(collector, stale=True)
    failed = next(r for r in scrapes(collector) if b"requests_total" not in r.body)
    assert ended.body == EXPOSITION
    assert ended.headers["fuseboard-scraped-at"] == failed.headers["fuseboard-scraped-at"]


def test_the_end_of_scraping_ends_the_series_too(target, collector, agent, wait_for):
    """An agent that is told to stop ends what it has shipped, ``up`` included; its series do not linger."""
    agent.start(config(collector, target.url))
    wait_for(lambda: bool(scrapes(collector)), "a scrape")
    assert agent.terminate() == 0

    [ended] = scrapes(collector, stale=True)
    assert ended.body.startswith(EXPOSITION)
    assert b"\nup{" in ended.body


def test_several_targets_are_told_apart(target, collector, agent, wait_for):
    """A target alone is the service's own instance; beside another each is known by its address, as in Prometheus."""
    who = '[resource]\n"service.instance.id" = "checkout-1"\n'
    other = f'[[scrape]]\nurl = "{target.url.replace("127.0.0.1", "localhost")}"\ninterval_s = 0.2\n'
    agent.start(config(collector, target.url, who))
    wait_for(lambda: bool(scrapes(collector)), "a scrape")
    assert agent.terminate() == 0
    alone = {request.headers["fuseboard-resource"] for request in scrapes(collector)}
    before = len(collector.of("/v1/exposition"))

    def together():
        """Under which instances scrapes came since."""
        found = [request.headers["fuseboard-resource"] for request in collector.of("/v1/exposition")[before:]]
        return {one.partition("service.instance.id=")[2].partition(":")[0].partition("%")[0] for one in found}

    agent.start(config(collector, target.url, other + who))
    wait_for(lambda: len(together()) >= 2, "scrapes of both")

    assert all("service.instance.id=checkout-1" in found for found in alone)
    assert together() == {"127.0.0.1", "localhost"}


def test_credentials_are_read_at_each_scrape(tmp_path, target, collector, agent, wait_for):
    """A rotated token is used without a restart; a token file that has gone is a failed scrape, not a crash."""
    token = tmp_path / "token"
    token.write_text("first\n")
    agent.start(config(collector, target.url, f'bearer_token_file = "{token}"\n'))
    wait_for(lambda: bool(target.asked), "a scrape")
    token.write_text("second\n")
    wait_for(lambda: target.asked[-1].get("Authorization") == "Bearer second", "the second token")
    token.unlink()

    wait_for(lambda: any(e["code"] == "credentials" for e in agent.happened("scrape_target")), "the failure")

    assert target.asked[0]["Authorization"] == "Bearer first"
    assert "openmetrics" in target.asked[0]["Accept"]


def test_basic_credentials_and_gzip(target, collector, agent, wait_for):
    """A user with a password; an answer that is packed is shipped unpacked."""
    target.body, target.headers = gzip.compress(EXPOSITION), {"Content-Encoding": "gzip"}
    agent.start(config(collector, target.url, 'username = "u"\npassword = "p"\n'))

    wait_for(lambda: bool(scrapes(collector)), "a scrape")

    assert scrapes(collector)[0].body.startswith(EXPOSITION)
    assert target.asked[0]["Authorization"] == "Basic " + base64.b64encode(b"u:p").decode()


def test_a_target_behind_tls_is_scraped(tmp_path, secure_target, collector, agent, wait_for):
    """Its certificate is checked against ca_file, ours is shown."""
    files = {name: tmp_path / f"{name}.pem" for name in ("cert", "key")}
    tls = f'ca_file = "{files["cert"]}"\ncert_file = "{files["cert"]}"\nkey_file = "{files["key"]}"\n'
    agent.start(config(collector, secure_target.url, tls))

    wait_for(lambda: bool(scrapes(collector)), "a scrape")

    assert scrapes(collector)[0].body.startswith(EXPOSITION)


def test_an_unknown_authority_is_not_scraped(secure_target, collector, agent, wait_for):
    """Without ca_file the system's authorities decide; they do not know this one."""
    agent.start(config(collector, secure_target.url))

    wait_for(lambda: any(e["code"] == "tls" for e in agent.happened("scrape_target")), "the refusal")

    assert all(b"requests_total" not in r.body for r in scrapes(collector))


@pytest.mark.parametrize(
    ("body", "content_type", "bound", "code"),
    [
        (b"a 1\n" * 6, "text/plain", "max_samples = 5", "too_many_samples"),
        (b"a 1\n" * 6, "text/plain", "max_bytes = 20", "too_large"),
        (b"<html><body>up</body></html>", "text/html", "", "not_exposition"),
        (b"\n", "text/plain", "", "empty"),
        (b"a 1\n", "application/openmetrics-text; version=1.0.0", "", "cut"),
    ],
)
def test_what_is_no_exposition_within_bounds_is_a_failed_scrape(
    target, collector, agent, wait_for, body, content_type, bound, code
):
    """``up 0`` and one sentence in the agent's log; none of the bytes is shipped."""
    target.body, target.headers = body, {"Content-Type": content_type}
    agent.start(config(collector, target.url, bound))

    wait_for(lambda: len(scrapes(collector)) > 1, "two scrapes")

    assert all(r.body.startswith(b"# TYPE up gauge\nup{") and b"} 0\n" in r.body for r in scrapes(collector))
    assert [event["code"] for event in agent.happened("scrape_target")] == [code]


def test_comments_and_blank_lines_are_no_samples(target, collector, agent, wait_for):
    """The bound on samples counts samples."""
    target.body = b"# HELP a b\n\n\n  # c\na 1\n\t\n a 2"
    agent.start(config(collector, target.url, "max_samples = 2"))

    wait_for(lambda: bool(scrapes(collector)), "a scrape")

    assert b"} 1\n" in scrapes(collector)[0].body
    assert b"scrape_samples_scraped" in scrapes(collector)[0].body
    assert b"} 2\n" in scrapes(collector)[0].body


def test_openmetrics_keeps_its_last_line():
    """``# EOF`` stays last; a missing line end is made good."""
    took = {"up": True, "duration_s": 0.5, "samples": 1}
    body = with_verdict(b"a 1\n# EOF\n", "http://u:p@h:1/m", **took)
    plain = with_verdict(b"a 1", "http://h:1/m", **took)

    assert body.startswith(b"a 1\n# TYPE up gauge\n")
    assert body.endswith(b"\n# EOF\n")
    assert b'up{instance="h:1"} 1' in body
    assert plain.startswith(b"a 1\n# TYPE up")


def test_what_is_remembered_is_small_and_given_once():
    """A typical exposition of a megabyte is kept in a fraction of it."""
    body = b"".join(b'http_requests_total{path="/%d"} %d\n' % (n % 100, n) for n in range(30_000))
    last = LastGood()
    last.keep("text/plain", b"old")
    last.keep("text/plain", body)

    assert len(last._kept[1]) < len(body) / 5
    assert last.take() == ("text/plain", body)
    assert last.take() is None


def test_targets_are_spread_over_the_interval():
    """Each has its own moment, the same after any restart; no slot is used twice."""
    waits = [Slots(10, f"http://h:{port}/metrics").wait_s(1000.0) for port in range(1000)]
    slots = Slots(10, "a")
    first = slots.wait_s(1000.0)

    assert all(sum(low <= wait < low + 2.5 for wait in waits) > 180 for low in (0.1, 2.5, 5, 7.5))
    assert slots.wait_s(1000.0 + first) == pytest.approx(10)
    assert slots.wait_s(1000.0 + first - 1e-6) == pytest.approx(10, abs=1e-3)
    assert slots.wait_s(1000.0 + first + 12) == pytest.approx(8)
