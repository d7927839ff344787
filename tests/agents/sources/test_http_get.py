"""One HTTP GET: bounded in time and size, whatever the other side does."""

import gzip
import socket
import threading
import time

import pytest

from agents.sources.http_get import HttpError, get, plain


@pytest.fixture
def answering():
    """Make a server that answers each connection with these pieces, *every_s* apart; gives its URL."""
    servers = []
    over = threading.Event()

    def serve(*pieces, every_s=0.0):
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        threading.Thread(target=accept, args=(server, pieces, every_s), daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/a"

    def accept(server, pieces, every_s):
        while not over.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                try:
                    for piece in pieces:
                        connection.sendall(piece)
                        if every_s and over.wait(every_s):
                            return
                except OSError:
                    continue

    yield serve
    over.set()
    for server in servers:
        server.close()


def fetch(url, timeout_s=5.0, max_bytes=1000):
    """GET with usual bounds."""
    return get(url, timeout_s=timeout_s, max_bytes=max_bytes, headers={})


def failure(url, **bounds):
    """The code of the error that a GET raises."""
    with pytest.raises(HttpError) as raised:
        fetch(url, **bounds)
    return raised.value.code


def answer(body, *headers, status="200 OK"):
    """The bytes of an answer."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-A: b\r\n"])
def test_a_dripping_answer_ends_at_the_deadline(answering, head):
    """A byte now and then does not keep a request alive, neither in the headers nor in the body."""
    url = answering(head, *[b"x"] * 2000, every_s=0.05)
    began = time.monotonic()

    assert failure(url, timeout_s=0.4) == "timeout"
    assert time.monotonic() - began < 60


def test_silence_ends_at_the_deadline(answering):
    """A server that takes the connection and says nothing."""
    assert failure(answering(b"", every_s=30), timeout_s=0.2) == "timeout"


def test_endless_interim_answers_end_at_the_deadline(answering):
    """``100 Continue`` for ever."""
    url = answering(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 400, every_s=0.01)

    assert failure(url, timeout_s=0.3) == "timeout"


def test_a_body_is_cut_just_beyond_its_bound(answering):
    """The caller sees one byte more than is allowed, never all of it."""
    assert len(fetch(answering(answer(b"x" * 100_000))).body) == 1001


def test_gzip_is_unpacked_within_the_bound(answering):
    """A bomb is cut like a long body."""

    def unpacked(text):
        body = gzip.compress(text)
        return plain(fetch(answering(answer(body, "Content-Encoding: gzip"))), 1000)

    assert unpacked(b"up 1\n") == b"up 1\n"
    assert len(unpacked(b"x" * 500_000)) == 1001
    assert len(unpacked(b"x" * 1000)) == 1000


@pytest.mark.parametrize(
    ("encoding", "body", "code"),
    [
        ("gzip", b"no gzip", "bad_encoding"),
        ("gzip", gzip.compress(b"abc", mtime=0)[:-9], "cut"),
        ("br", b"x", "bad_encoding"),
    ],
)
def test_what_cannot_be_unpacked_has_a_code(answering, encoding, body, code):
    """No gzip, half of one, or an encoding that nobody asked for; the answer itself is one."""
    found = fetch(answering(answer(body, f"Content-Encoding: {encoding}")))

    with pytest.raises(HttpError) as raised:
        plain(found, 1000)
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("pieces", "code"),
    [
        ((b"SSH-2.0-OpenSSH_9.2\r\n",), "not_http"),
        ((b"\x00\xff" * 50,), "not_http"),
        ((b"",), "cut"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",), "cut"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",), "cut"),
        ((b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",), "not_http"),
        ((answer(b"", "Location: http://127.0.0.1:1/a", status="302 Found"),), "redirect_refused"),
        ((answer(b"", "Location: https://127.0.0.1/a", status="302 Found"),), "redirect_refused"),
        ((answer(b"", "Location: //other:x/", status="302 Found"),), "redirect_refused"),
        ((answer(b"", "Location: /a", status="307 Temporary Redirect"),), "too_many_redirects"),
    ],
)
def test_what_is_no_usable_answer_has_a_code(answering, pieces, code):
    """Garbage, cut answers, redirects elsewhere or for ever."""
    assert failure(answering(*pieces)) == code


def test_a_redirect_on_the_same_server_is_followed():
    """The second answer is the one; a relative address is one too."""
    calls = [answer(b"", "Location: b/", status="307 Temporary Redirect"), answer(b"there")]
    server = socket.create_server(("127.0.0.1", 0))

    def accept():
        for piece in calls:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(piece)

    threading.Thread(target=accept, daemon=True).start()
    with server:
        found = fetch(f"http://127.0.0.1:{server.getsockname()[1]}/a")

    assert (found.status, found.body) == (200, b"there")


def test_nobody_there_is_refused():
    """A port that nobody listens on, and that nobody else takes meanwhile; a name that nobody has."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        assert failure(f"http://127.0.0.1:{held.getsockname()[1]}/") == "refused"

    assert failure("http://no-such-host.invalid/") == "dns"


def test_an_address_that_cannot_be_asked_for_is_an_error_like_any_other(answering):
    """A space in the path is refused by http.client."""
    assert failure(answering(answer(b"")) + " b") == "not_http"
