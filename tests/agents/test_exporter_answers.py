"""The exporter: collectors that do not know us, do not answer, or say when to come again."""

import email.utils
import socket
import threading
import time

import pytest

from agents.access import Access
from agents.answers import MAX_RETRY_AFTER_S, judged, retry_after_s
from agents.client import Answer, Client
from agents.errors import UnknownFate, Unreached
from agents.settings import load


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("999999", MAX_RETRY_AFTER_S),
        (email.utils.formatdate(1_000_020, usegmt=True), 20),
        (email.utils.formatdate(999_000, usegmt=True), 0),
        (email.utils.formatdate(9_000_000, usegmt=True), MAX_RETRY_AFTER_S),
        ("soon", 0),
        ("", 0),
        ("-5", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, seconds):
    """Both forms of RFC 9110 are read, nonsense is nothing, and no collector makes us wait for ever."""
    assert retry_after_s(text, now=1_000_000.0) == seconds


@pytest.mark.parametrize(
    ("status", "headers", "meaning"),
    [
        (200, {}, "taken"),
        (204, {}, "taken"),
        (200, {"content-type": "text/html; charset=utf-8"}, "unknown"),
        (301, {}, "refused"),
        (400, {}, "rejected"),
        (401, {}, "refused"),
        (403, {}, "rejected"),
        (403, {"content-type": "text/html"}, "refused"),
        (404, {"content-type": "text/html"}, "refused"),
        (407, {}, "refused"),
        (408, {}, "refused"),
        (409, {}, "rejected"),
        (413, {}, "rejected"),
        (413, {"content-type": "text/html"}, "rejected"),
        (429, {}, "refused"),
        (500, {}, "unknown"),
        (502, {}, "unknown"),
        (503, {}, "unknown"),
        (503, {"retry-after": "1"}, "refused"),
        (504, {}, "unknown"),
    ],
)
def test_what_an_answer_means(status, headers, meaning):
    """Only what a collector itself says is certain; what something in between says may hide that the block was taken."""
    assert judged(Answer(status, headers, b"")) == meaning


def test_a_wrong_key_is_not_the_blocks_fault(tmp_path, collector, agent, wait_for, follow_toml):
    """401 quarantines nothing and is loud; when the key's file holds the right key, everything arrives."""
    key_file = tmp_path / "key"
    key_file.write_text("old\n")
    (tmp_path / "app.log").write_bytes(b"x\n")
    refused = []

    def script(path, _number):
        if path == "/v1/lines" and not refused:
            key_file.write_text("new\n")
            refused.append(path)
            return 401, {}
        return None

    collector.script = script
    agent.start(f'key_file = "{key_file}"\n' + follow_toml(collector.url, tmp_path / "app.log"))
    wait_for(lambda: collector.lines() == [b"x"], "the line under the new key")

    assert "Bearer new" in collector.authorizations
    assert agent.happened("key_refused")[0]["level"] == "error"
    assert agent.happened("block_rejected") == []


def test_a_key_that_stays_wrong_is_tried_slowly(tmp_path, collector, agent, wait_for, follow_toml):
    """Two senders ask once each, not in a loop; the reports say why nothing comes."""
    (tmp_path / "app.log").write_bytes(b"x\n")
    collector.script = lambda path, _number: (401, {}) if path == "/v1/lines" else None
    agent.start('key = "wrong"\n' + follow_toml(collector.url, tmp_path / "app.log"))
    wait_for(lambda: any(it["exporter"]["key_refused"] for it in collector.reports), "a report of it")
    reports = len(collector.reports)
    wait_for(lambda: len(collector.reports) > reports + 5, "a second to pass")

    assert sum(path == "/v1/lines" for path, _ in collector.attempts) == 1


@pytest.fixture
def access(tmp_path):
    """How an agent without TLS and proxy reaches collectors."""
    return Access(
        load(None, {"FUSEBOARD_AGENT_COLLECTOR": "http://x", "FUSEBOARD_AGENT_DATA_DIR": str(tmp_path)})
    )


def answering(serve):
    """Listen, and let *serve* have the first connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        connection, _ = listener.accept()
        with connection, listener:
            serve(connection)

    threading.Thread(target=run, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def drip(connection):
    """Send a byte now and then, for ever."""
    connection.recv(1 << 16)
    try:
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Drip: 1\r\n" * 100:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)
    except OSError:
        return


def hang(connection):
    """Read and never answer: what a half-open connection looks like."""
    while connection.recv(1 << 16):
        continue


@pytest.mark.parametrize("serve", [drip, hang])
def test_a_request_has_one_deadline(serve, access, monkeypatch):
    """An answer that drips is given up as soon as one that never comes."""
    monkeypatch.setattr("agents.client.ANSWER_S", 0.4)
    client = Client(answering(serve), access)
    began = time.monotonic()

    with pytest.raises(UnknownFate, match=r"not done within|timed out"):
        client.post("/v1/lines", {}, b"x")

    assert 0.3 < time.monotonic() - began < 40
    client.close()


def test_a_refusal_before_the_body_was_read_is_heard(access):
    """A collector that says 429 and closes while we still send is understood, not taken for silence."""

    def serve(connection):
        connection.recv(1000)
        connection.sendall(
            b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 16):
            continue

    client = Client(answering(serve), access)

    assert client.post("/v1/lines", {}, b"x" * 5_000_000).status == 429
    client.close()


def test_nobody_there_is_unreached(access):
    """No connection, no doubt."""
    with socket.socket() as nobody:  # bound, so that nobody else listens there meanwhile
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"

        with pytest.raises(Unreached):
            Client(url, access).post("/v1/lines", {}, b"x")
