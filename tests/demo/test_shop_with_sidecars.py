"""The shop with its seven agents, shipping to a server that keeps what it is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest
from backports import zstd
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from demo.topology import SERVICES

pytestmark = pytest.mark.system
_EXPECTED = (
    ("/v1/lines", b'"service_started"'),
    ("/v1/exposition", b"process_resident_memory_bytes"),  # scraped from the service
    ("/v1/exposition", b"container_memory_working_set_bytes"),  # read by the agent
)


class Recorder(ThreadingHTTPServer):
    """Answers every POST with 200 and keeps (path, resource, body)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kept: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def text(self, path: str, service: str) -> bytes:
        """Return what *service*'s agent sent to *path*, one body after the other."""
        return b"\n".join(
            body for at, who, body in list(self.kept) if at == path and who.get("service.name") == service
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "zstd":
            body = zstd.decompress(body)
        pairs = (pair.partition("=") for pair in self.headers.get("Fuseboard-Resource", "").split(","))
        self.server.kept.append((self.path, {name: unquote(value) for name, _, value in pairs}, body))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Keep the tests' output quiet."""


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A collector that takes everything."""
    server = Recorder()
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield server
    server.shutdown()
    serving.join()
    server.server_close()


def test_what_every_service_says_arrives_to_the_last_line(
    tmp_path: Any, recorder: Recorder, start_shop: Any, is_alive: Any, eventually: Any
) -> None:
    """
    Each sidecar ships its service's lines, expositions and spans, under the service's own resource.

    SIGTERM ends every process in order, exits 0, and nothing said on the way is left behind.
    """
    running = start_shop(tmp_path, "--collector", recorder.url, "--rate", "20")
    for service in SERVICES:
        for path, word in _EXPECTED:
            eventually(
                lambda at=path, who=service, it=word: it in recorder.text(at, who),
                f"{word!r} of {service}",
                90,
            )
    eventually(lambda: _spanning(recorder) >= set(SERVICES), "spans of every service", 90)

    pids = running.pids()

    assert running.stop() == 0
    assert len(pids) == 2 * len(SERVICES) + 1
    assert not [pid for pid in pids if is_alive(pid)]
    assert not (tmp_path / "shop.json").exists()
    for service in SERVICES:
        assert b'"service_stopped"' in recorder.text("/v1/lines", service)


def _spanning(recorder: Recorder) -> set[str]:
    """Return the services whose spans arrived, by what the spans' own resource says."""
    names = set()
    for path, _, body in list(recorder.kept):
        if path == "/v1/traces":
            request = ExportTraceServiceRequest.FromString(body)
            names |= {
                attribute.value.string_value
                for batch in request.resource_spans
                for attribute in batch.resource.attributes
                if attribute.key == "service.name"
            }
    return names
