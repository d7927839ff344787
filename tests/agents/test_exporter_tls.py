"""The exporter over TLS and through proxies."""

import base64
import contextlib
import http.client
import shutil
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="makes certificates with openssl")


def certificate(folder, name, *options):
    """Make a certificate for 127.0.0.1, self-signed unless *options* say otherwise; (certificate, key)."""
    made, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = (
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN={name} "
        f"-addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {made}"
    )
    subprocess.run([*command.split(), *options], check=True, capture_output=True)
    return made, key


@pytest.fixture
def secure(collector, tmp_path):
    """The collector behind https, its certificate, and a way to ask for clients' certificates."""
    made, key = certificate(tmp_path, "collector")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made, key)
    # whoever connects and says nothing holds up its own thread, not the one that accepts
    collector.server.socket = context.wrap_socket(
        collector.server.socket, server_side=True, do_handshake_on_connect=False
    )
    collector.url = collector.url.replace("http:", "https:")
    collector.certificate, collector.context = made, context
    return collector


@needs_openssl
def test_a_collector_is_trusted_by_our_authority(tmp_path, secure, agent, wait_for, follow_toml):
    """With ``tls.ca_file`` blocks and reports go over https."""
    (tmp_path / "app.log").write_bytes(b"x\n")
    agent.start(follow_toml(secure.url, tmp_path / "app.log", f'[tls]\nca_file = "{secure.certificate}"\n'))

    wait_for(lambda: secure.lines() == [b"x"] and bool(secure.reports), "a line and a report over TLS")


@needs_openssl
def test_a_certificate_that_is_not_trusted_is_an_error_and_no_loss(
    tmp_path, secure, agent, wait_for, follow_toml
):
    """Nothing is sent to a stranger: the log says so as an error, and the block waits for the right setting."""
    (tmp_path / "app.log").write_bytes(b"x\n")
    agent.start(follow_toml(secure.url, tmp_path / "app.log"))
    wait_for(lambda: bool(agent.happened("block_refused")), "the refusal")
    said = agent.happened("block_refused")[0]
    seen = list(secure.attempts)
    agent.kill()
    agent.start(agent.config + f'[tls]\nca_file = "{secure.certificate}"\n')
    wait_for(lambda: secure.lines() == [b"x"], "the line")

    assert (said["level"], said["code"]) == ("error", "untrusted")
    assert "certificate" in said["reason"]
    assert seen == []


@needs_openssl
def test_we_show_our_certificate(tmp_path, secure, agent, wait_for, follow_toml):
    """A collector that asks for a client's certificate gets ``tls.cert_file`` (mutual TLS)."""
    ours, key = certificate(tmp_path, "agent")
    secure.context.load_verify_locations(ours)
    secure.context.verify_mode = ssl.CERT_REQUIRED
    (tmp_path / "app.log").write_bytes(b"x\n")
    tls = f'[tls]\nca_file = "{secure.certificate}"\ncert_file = "{ours}"\nkey_file = "{key}"\n'
    agent.start(follow_toml(secure.url, tmp_path / "app.log", tls))

    wait_for(lambda: secure.lines() == [b"x"], "the line")


@needs_openssl
def test_without_our_certificate_nothing_is_taken(tmp_path, secure, agent, wait_for, follow_toml):
    """A collector that wants one refuses; the block waits, and the log says so."""
    ours, _ = certificate(tmp_path, "agent")
    secure.context.load_verify_locations(ours)
    secure.context.verify_mode = ssl.CERT_REQUIRED
    (tmp_path / "app.log").write_bytes(b"x\n")
    agent.start(follow_toml(secure.url, tmp_path / "app.log", f'[tls]\nca_file = "{secure.certificate}"\n'))
    wait_for(lambda: bool(agent.happened("block_refused")), "the refusal")

    # the alert may be overtaken by the end of the connection
    assert agent.happened("block_refused")[0]["code"] in {"untrusted", "unknown_fate"}
    assert secure.attempts == []


class Proxy(ThreadingHTTPServer):
    """Forwards absolute-form requests and tunnels CONNECT, for whoever knows the password."""

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), ProxyHandler)
        self.seen = []

    def handle_error(self, *_):
        """A killed agent is expected here."""


class ProxyHandler(BaseHTTPRequestHandler):
    """One connection of the proxy."""

    protocol_version = "HTTP/1.1"

    def do_CONNECT(self):
        """Tunnel bytes both ways."""
        self.note()
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as beyond:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=pump, args=(beyond, self.connection), daemon=True)
            back.start()
            pump(self.connection, beyond)
            with contextlib.suppress(OSError):  # the other end may be gone
                beyond.shutdown(
                    socket.SHUT_RDWR
                )  # `back` reads it: closing alone would not reach the other end
        self.close_connection = True

    def do_POST(self):
        """Forward one request to the URL in its first line."""
        self.note()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        address, _, path = self.path.removeprefix("http://").partition("/")
        headers = {name: value for name, value in self.headers.items() if not name.startswith("Proxy")}
        with contextlib.closing(http.client.HTTPConnection(address)) as onward:
            onward.request("POST", "/" + path, body, headers)
            answer = onward.getresponse()
            text = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def note(self):
        """Remember how we were asked."""
        self.server.seen.append((self.command, self.path, self.headers["Proxy-Authorization"]))

    def log_message(self, *_):
        """Say nothing."""


def pump(source, sink):
    """Copy until one side ends."""
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
    except OSError:
        return


@pytest.fixture
def proxy():
    """A running proxy."""
    server = Proxy()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def proxy_toml(proxy):
    """The setting, with a password that needs its percent signs."""
    return f'proxy = "http://user:p%40ss@127.0.0.1:{proxy.server_address[1]}"\n'


CREDENTIALS = "Basic " + base64.b64encode(b"user:p@ss").decode()


def test_http_goes_through_the_proxy(tmp_path, collector, proxy, agent, wait_for, follow_toml):
    """The proxy gets the whole URL and its credentials; the collector does not get those."""
    (tmp_path / "app.log").write_bytes(b"x\n")
    agent.start(proxy_toml(proxy) + follow_toml(collector.url, tmp_path / "app.log"))
    wait_for(lambda: collector.lines() == [b"x"], "the line")

    assert ("POST", f"{collector.url}/v1/lines", CREDENTIALS) in proxy.seen
    assert "proxy-authorization" not in collector.of("/v1/lines")[0].headers


@needs_openssl
def test_https_is_tunnelled_through_the_proxy(tmp_path, secure, proxy, agent, wait_for, follow_toml):
    """CONNECT to the collector; what is inside is between the collector and us."""
    (tmp_path / "app.log").write_bytes(b"x\n")
    tls = f'[tls]\nca_file = "{secure.certificate}"\n'
    agent.start(proxy_toml(proxy) + follow_toml(secure.url, tmp_path / "app.log", tls))
    wait_for(lambda: secure.lines() == [b"x"], "the line")

    assert set(proxy.seen) == {("CONNECT", secure.url.removeprefix("https://"), CREDENTIALS)}


def test_a_proxy_that_is_away_is_waited_for(tmp_path, collector, proxy, agent, wait_for, follow_toml):
    """Without its proxy the agent asks nobody; the blocks wait."""
    proxy.shutdown()
    proxy.server_close()
    (tmp_path / "app.log").write_bytes(b"x\n")
    agent.start(proxy_toml(proxy) + follow_toml(collector.url, tmp_path / "app.log"))
    wait_for(lambda: bool(agent.happened("block_refused")), "the refusal")

    assert agent.happened("block_refused")[0]["code"] == "unreached"
    assert collector.attempts == []
