"""https to a pinned address still proves the name."""

from __future__ import annotations

import shutil
import ssl
import subprocess

import pytest

from collector.alerting.guard import Egress
from collector.alerting.receivers import Post
from collector.alerting.webhooks import Sender

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="makes a certificate with openssl")


@pytest.fixture
def certified(receiving, tmp_path, monkeypatch):
    """Give the receiver a certificate for hooks.example.com, trusted through SSL_CERT_FILE."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=test"
    )
    subprocess.run(
        [
            *command.split(),
            "-addext",
            "subjectAltName=DNS:hooks.example.com",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    receiving.server.socket = context.wrap_socket(
        receiving.server.socket, server_side=True, do_handshake_on_connect=False
    )
    receiving.server.handle_error = lambda *_: None  # a refused handshake is what one test is about
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return receiving


def send(receiving, host):
    """Make one attempt for *host*, pinned to loopback."""
    sender = Sender(Egress((), lambda host, port: ("127.0.0.1",)))  # noqa: ARG005
    post = Post(f"https://{host}:{receiving.port}/", {}, b"{}")
    return sender.send([post], allow_private=True, timeout_s=60)[0]


def test_the_certificate_is_checked_against_the_name_not_the_address(certified):
    """A certificate for the receiver's name is accepted on whatever address was pinned."""
    assert send(certified, "hooks.example.com").status == 204


def test_another_name_is_refused(certified):
    """A certificate for someone else ends the attempt before a byte of the event is sent."""
    outcome = send(certified, "other.example.com")

    assert outcome.status is None
    assert "certificate" in outcome.error
    assert not certified.requests
