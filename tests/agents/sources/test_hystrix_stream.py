"""A Hystrix stream that never ends, scraped as if it were an exposition."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agents.sources.hystrix_stream import NOTHING, exposition, one_round

COMMAND = {
    "type": "HystrixCommand", "name": "Charge", "group": "payment", "currentTime": 1355239617628, "isCircuitBreakerOpen": True, "errorPercentage": 62,
    "errorCount": 75, "requestCount": 121, "rollingCountShortCircuited": 31, "rollingCountSuccess": 46, "latencyExecute": {"0": 3, "99.5": 92},
    "propertyValue_circuitBreakerEnabled": True, "reportingHosts": 1,
}  # fmt: skip
POOL = {
    "type": "HystrixThreadPool", "name": "payment", "currentTime": 1355239617628, "currentActiveCount": 7, "currentCompletedTaskCount": 121,
    "currentMaximumPoolSize": 10, "currentPoolSize": 10, "currentQueueSize": 2, "rollingCountThreadsExecuted": 121,
}  # fmt: skip


def lines(*events, after="data: "):
    """Events as the stream has them."""
    return b"".join(after.encode() + json.dumps(event).encode() + b"\n\n" for event in events)


def reader(text):
    """What reads *text* line by line, as often as it is there."""
    rows = iter(text.splitlines(keepends=True))
    return lambda _most: next(rows, b"")


def test_a_round_ends_where_one_is_told_again():
    """hystrix-go has no pings: the second time is the next round's."""
    text = lines(COMMAND, POOL, COMMAND, POOL, after="data:")

    assert one_round(reader(text), 10**6) == lines(COMMAND, POOL, after="data:").replace(b"\n\n", b"\n")


def test_a_round_ends_with_a_ping_and_without_events_with_two():
    """A service without commands says that it is there; that is an answer, too."""
    assert (
        one_round(reader(b"ping: \n\n" + lines(COMMAND) + b"ping: \n\n" + lines(POOL)), 10**6).count(b"data")
        == 1
    )
    assert one_round(reader(b"ping: \n\n" * 9), 10**6) == b""
    assert exposition(b"") == NOTHING


def test_commands_are_breakers_and_pools_are_bulkheads():
    """Under Micrometer's names; other fields stay out, names are escaped, what is no event is nothing."""
    odd = {**COMMAND, "name": 'a"b\n', "requestCount": "many", "errorPercentage": None}
    text = exposition(
        lines(COMMAND, odd, POOL, {"data": {**POOL, "name": "wrapped"}}, [1], {"type": "Other"})
        + b"data: {broken\n"
    )

    assert (
        text.decode()
        == """# TYPE hystrix_circuit_breaker_open gauge
hystrix_circuit_breaker_open{group="payment",key="Charge"} 1.0
hystrix_circuit_breaker_open{group="payment",key="a\\"b\\n"} 1.0
# TYPE hystrix_error_percentage gauge
hystrix_error_percentage{group="payment",key="Charge"} 62.0
# TYPE hystrix_request_count gauge
hystrix_request_count{group="payment",key="Charge"} 121.0
# TYPE hystrix_threadpool_threads_active_current_count gauge
hystrix_threadpool_threads_active_current_count{key="payment"} 7.0
hystrix_threadpool_threads_active_current_count{key="wrapped"} 7.0
# TYPE hystrix_threadpool_threads_max_pool_current_size gauge
hystrix_threadpool_threads_max_pool_current_size{key="payment"} 10.0
hystrix_threadpool_threads_max_pool_current_size{key="wrapped"} 10.0
# TYPE hystrix_threadpool_queue_current_size gauge
hystrix_threadpool_queue_current_size{key="payment"} 2.0
hystrix_threadpool_queue_current_size{key="wrapped"} 2.0
"""
    )


class Endless(BaseHTTPRequestHandler):
    """Tells the same two things again and again until nobody listens."""

    leave = threading.Event()

    def do_GET(self):
        """Stream."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream;charset=UTF-8")
        self.end_headers()
        try:
            while not self.leave.wait(0.02):
                self.wfile.write(lines(COMMAND, POOL))
        except OSError:
            return

    def log_message(self, *_args):
        """Say nothing."""


@pytest.fixture
def stream():
    """The URL of an endless stream."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hystrix.stream"
    Endless.leave.set()
    server.shutdown()
    server.server_close()
    thread.join()
    Endless.leave.clear()


def test_a_scrape_of_an_endless_stream_ends(stream, settings_of):
    """One round over a real socket, judged like any other scrape."""
    found = settings_of(stream).fetch()

    assert found.samples == 6
    assert b'hystrix_circuit_breaker_open{group="payment",key="Charge"} 1.0' in found.body
    assert found.content_type.startswith("text/plain")


@pytest.fixture
def settings_of():
    """A target by its URL."""
    from agents.settings_values import ScrapeSettings
    from agents.sources.scrape_target import Target

    def target(url):
        nobody = dict.fromkeys(
            (
                "username",
                "password",
                "password_file",
                "bearer_token",
                "bearer_token_file",
                "ca_file",
                "cert_file",
                "key_file",
            )
        )
        return Target(
            ScrapeSettings(url=url, interval_s=15, timeout_s=60, max_bytes=10**6, max_samples=0, **nobody)
        )

    return target
