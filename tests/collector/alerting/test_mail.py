"""Mail to a real SMTP server: plain, STARTTLS, TLS, credentials, refusals, threads."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from email import message_from_bytes, policy

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from collector.alerting import Receiver
from collector.alerting.dispatch import Dispatcher
from collector.alerting.guard import Destination, Egress
from collector.alerting.mail import _Smtp
from tests.collector.alerting.receivers.conftest import alert, group, message, resolved

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="makes a certificate with openssl")


class Inbox:
    """Keeps what the server takes; *replies* are given to the next DATA or RCPT commands instead."""

    def __init__(self):
        self.mails = []
        self.addressed = []
        self.tls = []
        self.logins = []
        self.data_replies = []
        self.refuses = {}

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        """Take an addressee, or refuse it."""
        del server, session, options
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        """Take a mail, or refuse it."""
        del server
        if self.data_replies:
            return self.data_replies.pop(0)
        self.tls.append(session.ssl is not None)
        self.addressed.append((envelope.mail_from, tuple(envelope.rcpt_tos)))
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"

    def login(self, server, session, envelope, mechanism, data):
        """Judge a password."""
        del server, session, envelope, mechanism
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"pa55word", handled=False)


class Remembering(SMTP):
    """aiosmtpd, which puts its connections into a list: whoever ends the loop has to close them."""

    def __init__(self, connections, *args, **more):
        super().__init__(*args, **more)
        self.connections = connections

    def connection_made(self, transport):
        """Take a connection, or what STARTTLS made of it."""
        self.connections.append(transport)
        super().connection_made(transport)


async def turns():
    """Let all that is due on this loop, and what follows from it, happen."""
    for _ in range(10):
        await asyncio.sleep(0)


class Serving:
    """aiosmtpd in a thread of its own, on a free port; *more* are arguments of its protocol."""

    def __init__(self, inbox, context, more):
        self.connections = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

        async def listen():
            def protocol():
                return Remembering(self.connections, inbox, enable_SMTPUTF8=False, loop=self.loop, **more)

            return await self.loop.create_server(protocol, "127.0.0.1", 0, ssl=context)

        self.server = asyncio.run_coroutine_threadsafe(listen(), self.loop).result(60)
        self.port = self.server.sockets[0].getsockname()[1]

    def stop(self):
        """End it, connections included."""

        async def end():
            for listening in self.server.sockets:
                self.loop.remove_reader(listening.fileno())
            await turns()  # of a connection that was accepted just now the socket belongs to nobody yet, and a closed server takes none
            self.server.close()
            for connection in self.connections:
                connection.abort()
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                for task in others:
                    task.cancel()
                await asyncio.gather(*others, return_exceptions=True)
            await turns()

        asyncio.run_coroutine_threadsafe(end(), self.loop).result(60)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture
def inbox():
    """Give an empty inbox."""
    return Inbox()


@pytest.fixture
def serve(inbox):
    """Give a function that starts a server and gives its port."""
    servers = []

    def start(context=None, **more):
        servers.append(Serving(inbox, context, more))
        return servers[-1].port

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def context(tmp_path, monkeypatch):
    """Give the server's side of TLS for mail.example.com, trusted through SSL_CERT_FILE."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=test"
    )
    names = ["-addext", "subjectAltName=DNS:mail.example.com", "-keyout", key, "-out", certificate]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return made


def receiver(port, scheme="smtp", host="mail.example.com", **fields):
    """Give an email receiver."""
    told = {"sender": "Fuse Board <fuse@example.com>", "to": ("oncall@example.com", "Ada <ada@example.com>")}
    told |= {"starttls": False, "allow_private": True, "timeout_s": 60, **fields}
    return Receiver("mail", f"{scheme}://{host}:{port}", kind="email", **told)


def send(to, *messages, resolve=("127.0.0.1",)):
    """Make one attempt for each of *messages*."""
    return Dispatcher(Egress((), lambda host, port: resolve)).send(to, messages or (message(),))  # noqa: ARG005


def test_a_mail_is_text_and_html_under_the_id_of_the_webhook(serve, inbox):
    """Subject, addressees, both bodies, the link; the envelope holds bare addresses."""
    (outcome,) = send(receiver(serve()))

    (mail,) = inbox.mails
    assert (outcome.status, outcome.error, outcome.address, outcome.delivered) == (
        250,
        None,
        "127.0.0.1",
        True,
    )
    assert inbox.addressed == [("fuse@example.com", ("oncall@example.com", "ada@example.com"))]
    assert mail["Subject"] == "[FIRING] checkout has lost payment for 15 s"
    assert mail["Message-ID"] == "<msg_1@fuse.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"] == "Sun, 22 Nov 2026 03:00:15 +0000"
    text = mail.get_body(("plain",)).get_content()
    assert "BreakerOpen: firing since 2026-11-22T03:00:15" in text
    assert "https://fuse.example/breakers/checkout/payment?env=demo" in text
    assert "<h1" in mail.get_body(("html",)).get_content()


def test_firing_and_resolved_stand_in_one_thread(serve, inbox):
    """Both refer to the same root, another subject to another."""
    send(
        receiver(serve()),
        message(),
        message(resolved(), "alert.resolved"),
        message(subject="other"),
        message(group(alert())),
    )

    roots = [mail["References"] for mail in inbox.mails]
    assert roots[0] == roots[1] == inbox.mails[1]["In-Reply-To"]
    assert len(set(roots)) == 3
    assert inbox.mails[1]["Subject"].startswith("[RESOLVED]")


def test_nothing_a_service_wrote_becomes_a_header_or_html(serve, inbox):
    """Line ends end no header, tags are text, an odd address is no link."""
    hostile = "lost\r\nBcc: evil@example.com\r\n\r\n<script>alert(1)</script> \x00 é"
    data = alert(message=hostile, annotations={"<b>": "<i>&"}, url="javascript:alert(1)")
    (outcome,) = send(receiver(serve()), message(data))

    (mail,) = inbox.mails
    assert outcome.delivered
    assert (mail["Bcc"], inbox.addressed[0][1]) == (None, ("oncall@example.com", "ada@example.com"))
    assert mail["Subject"] == "[FIRING] lost Bcc: evil@example.com <script>alert(1)</script> é"
    page = mail.get_body(("html",)).get_content()
    assert "<script>" not in page
    assert "javascript:" not in page
    assert "&lt;i&gt;&amp;" in page


@needs_openssl
def test_starttls_proves_the_name_and_then_logs_in(serve, inbox, context):
    """The password goes over TLS only, to the server whose certificate has the name of the URL."""
    port = serve(tls_context=context, require_starttls=True, auth_required=True, authenticator=inbox.login)
    told = {"starttls": True, "username": "fuse", "password": "pa55word"}
    (taken,) = send(receiver(port, **told))
    (other_name,) = send(receiver(port, host="other.example.com", **told))
    (wrong,) = send(receiver(port, **told | {"password": "wrong"}))

    assert taken.delivered
    assert inbox.tls == [True]
    assert other_name.status is None
    assert "certificate" in other_name.error
    assert (wrong.status, wrong.smtp, wrong.error) == (535, True, "answered 535")
    assert inbox.logins[0] == ("fuse", "pa55word")
    assert "pa55word" not in repr((taken, other_name, wrong))


def test_without_starttls_nothing_is_sent(serve, inbox):
    """A server that offers none, or a thief who took the offer away, gets no mail and no password."""
    (outcome,) = send(receiver(serve(), starttls=True, username="u", password="pa55word"))

    assert inbox.mails == inbox.logins == []
    assert outcome.error.startswith("network: SMTPNotSupportedError: STARTTLS")


@needs_openssl
def test_smtps_is_tls_from_the_first_byte(serve, inbox, context):
    """And proves the name too."""
    port = serve(context=context)
    (taken,) = send(receiver(port, "smtps"))
    (other,) = send(receiver(port, "smtps", host="other.example.com"))

    assert taken.delivered
    assert len(inbox.mails) == 1
    assert "certificate" in other.error


def test_replies_decide_what_follows(serve, inbox):
    """451 is passing, 552 is not, one refused addressee of two does not send the mail again."""
    port = serve()
    inbox.data_replies = ["451 later", "552 too big"]
    later, never = send(receiver(port), message(), message())
    inbox.refuses = {"ada@example.com": "550 no such user"}
    (partly,) = send(receiver(port))
    inbox.refuses["oncall@example.com"] = "450 busy"
    (nobody,) = send(receiver(port))

    assert (later.status, later.body_excerpt, never.status) == (451, "later", 552)
    assert partly.delivered
    assert partly.error == "refused for ada@example.com: 550 no such user"
    assert (nobody.status, nobody.delivered) == (450, False)


def test_a_server_that_ends_the_connection_is_asked_again(serve, inbox):
    """A limit of mails per connection costs no delivery."""
    inbox.data_replies = ["421 enough"]
    first, second = send(receiver(serve()), message(), message())

    assert (first.status, second.delivered) == (421, True)


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "10.0.0.7"])
def test_the_guard_stands_before_mail_too(address):
    """No SMTP to a metadata service, and to private addresses only by permission."""
    (outcome,) = send(receiver(25, allow_private=False), resolve=(address,))

    assert outcome.error.startswith("egress_refused")


def test_a_server_that_drips_ends_at_the_timeout():
    """Half a reply for ever never holds a courier longer than timeout_s; what follows in the batch is not tried on it."""
    stop = threading.Event()

    def drip(listening):
        connection, _ = listening.accept()
        with connection:
            try:
                while not stop.wait(0.02):
                    connection.sendall(b"2")
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        begun = time.monotonic()
        outcomes = send(receiver(listening.getsockname()[1], timeout_s=0.3), message(), message())
        elapsed = time.monotonic() - begun
        stop.set()
        socket.create_connection(listening.getsockname()).close()  # if the time was over before we connected
        thread.join()

    assert [outcome.error for outcome in outcomes] == ["timeout: the mail was not taken within 0.3 s"] * 2
    assert elapsed < 60  # 8 KiB of a line, a byte at a time, are almost three minutes


def test_a_connection_that_stands_after_the_deadline_is_not_used(serve):
    """Whoever ends a conversation at its deadline found nothing to end: it must not begin afterwards."""
    port = serve()
    there = Destination(f"smtp://mail.example.com:{port}", "smtp", "mail.example.com", port, ("127.0.0.1",))
    late = _Smtp(there, ssl.create_default_context(), 60, time.monotonic())

    with pytest.raises(TimeoutError):
        late.open()
    late.close()


def test_nobody_there_is_network_trouble():
    """A sentence, not a stack trace."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        (outcome,) = send(receiver(free.getsockname()[1]))

    assert outcome.error.startswith("network: ConnectionRefusedError")


def test_mails_go_through_the_outbox_exactly_as_webhooks_do(serve, inbox, start, breakers, clock):
    """Fired, refused for a while, retried, delivered once, resolved; each attempt on record."""
    mail = receiver(serve())
    alerting = start(receivers=(mail,), resolve=lambda host, port: ("127.0.0.1",))  # noqa: ARG005
    inbox.data_replies = ["451 later"]
    breakers.set(state="open", since=clock.at)
    clock.forward(15)
    alerting.round()
    alerting.deliver_due()
    clock.forward(2)
    alerting.deliver_due()
    breakers.set(state="closed")
    alerting.round()
    alerting.deliver_due()

    assert [one["Subject"].split("]")[0] for one in inbox.mails] == ["[FIRING", "[RESOLVED"]
    ids = [one["webhook_id"] for one in reversed(alerting.deliveries())]
    assert [one["Message-ID"] for one in inbox.mails] == [
        f"<{webhook_id}@fuse.example>" for webhook_id in ids
    ]
    assert [one["attempts"] for one in alerting.deliveries()] == [1, 2]
    assert json.dumps(alerting.deliveries()).count('"smtp://mail.example.com') == 2
