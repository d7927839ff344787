"""A batch of deliveries to one receiver: rendered, sent by the protocol of its kind, each with its outcome."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from collector.alerting.guard import Egress
from collector.alerting.mail import Mailer
from collector.alerting.receivers import Mail, Message, Post, Receiver, Request, render
from collector.alerting.webhooks import Outcome, Sender, failure
from collector.errors import Malformed


class Dispatch(Protocol):
    """Whatever sends a batch."""

    def send(self, receiver: Receiver, messages: Sequence[Message]) -> list[Outcome]:
        """Make one attempt for each of *messages*; network trouble is an outcome, not an exception."""


class Dispatcher:
    """
    Sends by the receiver's kind; one per process, safe between threads.

    Args:
        egress: Judges every address.
    """

    def __init__(self, egress: Egress) -> None:
        self._http = Sender(egress)
        self._mail = Mailer(egress)

    def send(self, receiver: Receiver, messages: Sequence[Message]) -> list[Outcome]:
        """Make one attempt for each of *messages*; what cannot be rendered fails alone."""
        begun = time.monotonic()
        outcomes: dict[int, Outcome] = {}
        requests: dict[int, Request] = {}
        for place, message in enumerate(messages):
            try:
                requests[place] = render(message, receiver)
            except Malformed as error:
                outcomes[place] = failure(f"{error.code}: {error.message}", begun)
        outcomes |= dict(zip(requests, self._sent(receiver, list(requests.values())), strict=True))
        return [outcomes[place] for place in range(len(messages))]

    def _sent(self, receiver: Receiver, requests: Sequence[Request]) -> list[Outcome]:
        mails = [request for request in requests if isinstance(request, Mail)]
        posts = [request for request in requests if isinstance(request, Post)]
        if mails:
            return self._mail.send(receiver, mails)
        if posts:
            return self._http.send(posts, allow_private=receiver.allow_private, timeout_s=receiver.timeout_s)
        return []
