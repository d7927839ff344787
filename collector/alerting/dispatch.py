"""A batch of deliveries to one receiver: rendered, sent by the protocol of its kind, each with its outcome."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from collector.alerting.guard import Egress
from collector.alerting.receivers import Message, Post, Receiver, render
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

    def send(self, receiver: Receiver, messages: Sequence[Message]) -> list[Outcome]:
        """Make one attempt for each of *messages*; what cannot be rendered fails alone."""
        begun = time.monotonic()
        outcomes: dict[int, Outcome] = {}
        posts: dict[int, Post] = {}
        for place, message in enumerate(messages):
            try:
                request = render(message, receiver)
            except Malformed as error:
                outcomes[place] = failure(f"{error.code}: {error.message}", begun)
                continue
            assert isinstance(request, Post)
            posts[place] = request
        if posts:
            sent = self._http.send(
                list(posts.values()), allow_private=receiver.allow_private, timeout_s=receiver.timeout_s
            )
            outcomes |= dict(zip(posts, sent, strict=True))
        return [outcomes[place] for place in range(len(messages))]
