"""
Send mails; say what came back.

The same door as webhooks: the connection goes to an address that was judged (guard.py), TLS proves the
name. ``smtps://`` is TLS from the first byte; ``smtp://`` asks for STARTTLS and ends without it, unless the
receiver says ``starttls = false``. A conversation, a dripping one included, ends after the receiver's ``timeout_s``.
One connection carries a batch; a server that ends it in between is asked for another.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property

import httpx

from collector.alerting.guard import Destination, Egress
from collector.alerting.receivers.message import Mail
from collector.alerting.receivers.receiver import Receiver
from collector.alerting.webhooks import EXCERPT_BYTES, Outcome, failure, readable
from collector.errors import FuseboardError


class Mailer:
    """
    Makes attempts; one per process, safe between threads.

    Args:
        egress: Judges the address.
    """

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()

    def send(self, receiver: Receiver, mails: Sequence[Mail]) -> list[Outcome]:
        """
        Send each mail once.

        Returns:
            The outcome of each; trouble of network, server and guard are outcomes, not exceptions. A mail that
            some of its addressees were refused is sent: ``error`` names them.
        """
        begun = time.monotonic()
        try:
            destination = self._egress.admit(receiver.url, allow_private=receiver.allow_private)
        except FuseboardError as error:
            return [failure(f"{error.code}: {error.message}", begun) for _ in mails]
        conversation = _Conversation(receiver, destination, self._tls)
        try:
            return [conversation.send(mail) for mail in mails]
        finally:
            conversation.end()


class _Conversation:
    """With one server, over one connection at a time."""

    def __init__(self, receiver: Receiver, destination: Destination, tls: ssl.SSLContext) -> None:
        self._receiver = receiver
        self._destination = destination
        self._tls = tls
        self._smtp: _Smtp | None = None
        self._unreachable: Outcome | None = None

    def send(self, mail: Mail) -> Outcome:
        """Send one mail; a server that could not be reached for the one before is not asked again."""
        if self._unreachable is not None:
            return self._unreachable
        begun = time.monotonic()
        if self._smtp is not None and self._smtp.sock is None:
            self._drop()  # smtplib closes after a 421
        fresh = self._smtp is None
        try:
            with self._ending_in_time():
                return self._sent(mail, begun)
        except (OSError, smtplib.SMTPException) as error:
            outcome = _failed(error, begun, self._receiver.timeout_s, self._address)
            if not isinstance(
                error, (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError)
            ):
                self._drop()
                self._unreachable = outcome if fresh else None
            return outcome

    def end(self) -> None:
        """Say goodbye if the server still listens."""
        if self._smtp is not None:
            with suppress(OSError, smtplib.SMTPException), self._ending_in_time():
                self._smtp.quit()
        self._drop()

    @property
    def _address(self) -> str | None:
        return self._smtp.address if self._smtp else None

    def _sent(self, mail: Mail, begun: float) -> Outcome:
        smtp = self._connected(begun + self._receiver.timeout_s)
        refused = smtp.send_message(mail.message, mail.sender, mail.to)
        who = "; ".join(f"{to}: {code} {readable(said)}" for to, (code, said) in refused.items())
        return Outcome(
            status=250,
            error=f"refused for {who}"[:EXCERPT_BYTES] if refused else None,
            retry_after_s=None,
            elapsed_ms=(time.monotonic() - begun) * 1000,
            address=smtp.address,
            body_excerpt="",
            smtp=True,
        )

    def _connected(self, until: float) -> _Smtp:
        if self._smtp is None:
            self._smtp = smtp = _Smtp(self._destination, self._tls, self._receiver.timeout_s, until)
            smtp.open()
            if self._destination.scheme == "smtp" and self._receiver.starttls:
                smtp.starttls(context=self._tls)
            if self._receiver.username:
                smtp.login(self._receiver.username, self._receiver.password)
        return self._smtp

    @contextmanager
    def _ending_in_time(self) -> Iterator[None]:
        """Shut the connection at the deadline, whatever it is waiting for."""
        timer = threading.Timer(self._receiver.timeout_s, self._shut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def _shut(self) -> None:
        if self._smtp is not None:
            self._smtp.shut()

    def _drop(self) -> None:
        if self._smtp is not None:
            with suppress(OSError):
                self._smtp.close()
            self._smtp = None


class _Smtp(smtplib.SMTP):
    """
    A client that connects to judged addresses only; *address* is the one it is connected to.

    A connection that stands only after *until*, of ``time.monotonic``, is not used: whoever was to shut it at the deadline came before there was one.
    """

    def __init__(self, destination: Destination, tls: ssl.SSLContext, timeout_s: float, until: float) -> None:
        # A name of our own: asking the resolver for one may take longer than the attempt.
        super().__init__(timeout=timeout_s, local_hostname=socket.gethostname() or "fuseboard")
        self._destination = destination
        self._context = tls
        self._until = until
        self._host = destination.host  # smtplib's: what STARTTLS has to prove
        self._handle: socket.socket | None = None
        self.address: str | None = None

    def open(self) -> None:
        """
        Connect and hear the greeting.

        Raises:
            SMTPException: The server greets with a refusal.
            OSError: No address answers.
        """
        code, said = self.connect(self._destination.host, self._destination.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)

    def shut(self) -> None:
        """End what another thread waits for."""
        if self._handle is not None:
            with suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        super().close()
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = self._reached(port, timeout)
        self._handle = plain.dup()  # TLS takes the socket itself away; this one still ends the connection
        if time.monotonic() >= self._until:
            plain.close()
            raise TimeoutError("the connection stood too late")
        if self._destination.scheme != "smtps":
            return plain
        return self._context.wrap_socket(plain, server_hostname=host)

    def _reached(self, port: int, timeout: float) -> socket.socket:
        *others, last = self._destination.addresses
        for address in others:
            with suppress(OSError):
                return self._reach(address, port, timeout / 2)
        return self._reach(last, port, timeout)

    def _reach(self, address: str, port: int, timeout: float) -> socket.socket:
        found = socket.create_connection((address, port), timeout)
        found.settimeout(self.timeout)
        self.address = address
        return found


def _failed(
    error: OSError | smtplib.SMTPException, begun: float, timeout_s: float, address: str | None
) -> Outcome:
    code, said = _reply(error)
    if time.monotonic() - begun >= timeout_s:
        return failure(f"timeout: the mail was not taken within {timeout_s:g} s", begun)
    # What is no refusal and still ended the conversation (a 2xx in the wrong place) has delivered nothing.
    if code is None or not 400 <= code <= 599:
        return failure(f"network: {type(error).__name__}: {error}", begun)
    excerpt = readable(said[:EXCERPT_BYTES])
    return Outcome(
        status=code,
        error=f"answered {code}",
        retry_after_s=None,
        elapsed_ms=(time.monotonic() - begun) * 1000,
        address=address,
        body_excerpt=excerpt,
        smtp=True,
    )


def _reply(error: OSError | smtplib.SMTPException) -> tuple[int | None, bytes]:
    """Give the server's code and words, if it said any; of several refused addressees the one with most hope."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return min(error.recipients.values(), key=lambda reply: reply[0])
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0:
        said = error.smtp_error
        return error.smtp_code, said if isinstance(said, bytes) else str(said).encode()
    return None, b""
