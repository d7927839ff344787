"""A real HTTP receiver, a clock set by hand, breakers set by hand, a state on a real file."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from collector.alerting import Alerting, AlertingSettings, Receiver
from collector.alerting.courier import Courier
from collector.state import State

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)

RULES = """\
groups:
  - name: breakers
    rules:
      - alert: BreakerOpen
        breaker: 'open for 15s {env="demo"}'
        labels: {severity: page}
        annotations:
          summary: "{{ $labels.service }} has lost {{ $labels.target }} for {{ $value }} s"
"""


@dataclass(frozen=True)
class Breaker:
    """One instance's view of a breaker, as read/breakers.py gives it."""

    service: str = "checkout"
    env: str = "demo"
    breaker: str = "payment"
    target: str = "payment"
    instance: str = "checkout-1"
    state: str = "open"
    since: datetime = START
    reason: str = "5 of 5 calls failed"
    trace_id: str = "0af7651916cd43dd8448eb211c80319c"


@dataclass
class Breakers:
    """Breaker states set by a test; *error* is raised instead when set."""

    now: Sequence[Breaker] = ()
    error: Exception | None = None

    def current(self) -> Sequence[Breaker]:
        """Give what was set."""
        if self.error:
            raise self.error
        return self.now

    def set(self, **fields: object) -> None:
        """Let there be one breaker instance with these fields."""
        self.now = (replace(Breaker(), **fields),)


@dataclass
class Clock:
    """A clock that moves when told."""

    at: datetime = START

    def __call__(self) -> datetime:
        """Give the time it was set to."""
        return self.at

    def forward(self, seconds: float) -> None:
        """Move it."""
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Request:
    """One request as the receiver saw it; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What the receiver answers next, and always after the list is used up."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Receiving:
    """A real HTTP server on loopback that keeps every request; *answers* are used one by one, then 204."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[Answer] = []
        self.before_answer: Callable[[], None] = lambda: None
        self.decide: Callable[[Request], Answer] | None = None
        receiving = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                receiving.requests.append(request)
                receiving.before_answer()
                answer = receiving.next_answer(request)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.status != 204:
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *args: object) -> None:
                del args

        class Server(ThreadingHTTPServer):
            request_queue_size = 64
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def next_answer(self, request: Request) -> Answer:
        """Give what *request* is answered; requests come several at once, and each takes an answer of its own."""
        if self.decide:
            return self.decide(request)
        try:
            return self.answers.pop(0)
        except IndexError:
            return Answer()

    def answer(self, *statuses: int, **headers: str) -> None:
        """Answer the next requests with *statuses*, each with *headers* (``_`` stands for ``-``)."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers += [Answer(status, named) for status in statuses]

    def types(self) -> list[str]:
        """Give the types of what was received, in order."""
        return [json.loads(request.body)["type"] for request in self.requests]

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiving() -> Iterator[Receiving]:
    """Serve on a free loopback port."""
    server = Receiving()
    yield server
    server.close()


@pytest.fixture
def clock() -> Clock:
    """Give the clock of the component under test."""
    return Clock()


@pytest.fixture
def breakers() -> Breakers:
    """Give the breakers the component under test reads."""
    return Breakers()


@pytest.fixture
def state_url(tmp_path: Path) -> str:
    """Give the URL of a state that does not exist yet."""
    return f"sqlite:///{tmp_path / 'state.db'}"


@pytest.fixture
def rule_file(tmp_path: Path) -> Path:
    """Write the one rule of these tests."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


@pytest.fixture
def receiver(receiving: Receiving) -> Receiver:
    """Give the settings that lead to *receiving*."""
    return Receiver(name="pager", url=receiving.url, secret=SECRET, allow_private=True, timeout_s=60)


@pytest.fixture
def start(
    rule_file: Path, receiver: Receiver, state_url: str, breakers: Breakers, clock: Clock
) -> Iterator[Callable[..., Alerting]]:
    """Open the state and make the component as a (re)started process would; any number of times."""
    states: list[State] = []

    def make(**changes: object) -> Alerting:
        resolve = changes.pop("resolve", None)
        holder = str(changes.pop("holder", "collector-1"))
        sources = changes.pop("sources", None)
        settings = replace(
            AlertingSettings(
                rule_files=(str(rule_file),), receivers=(receiver,), public_url="https://fuse.example"
            ),
            **changes,
        )
        states.append(State(state_url))
        more = {"resolve": resolve} if resolve else {}
        more["sources"] = sources
        alerting = Alerting(
            settings,
            state=states[-1],
            breakers=breakers,
            registry=CollectorRegistry(),
            holder=holder,
            clock=clock,
            **more,
        )
        for courier in alerting._couriers:
            assert isinstance(courier, Courier)
            courier._jitter = lambda: 1.0
        return alerting

    yield make
    for state in states:
        state.close()


@pytest.fixture
def state(state_url: str) -> Iterator[State]:
    """Open a new state."""
    state = State(state_url)
    yield state
    state.close()
