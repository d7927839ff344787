"""
The agent's own metrics, on loopback when ``metrics_listen`` is set.

``<component>_<what>_<unit>``; drops carry ``reason``; every stream carries service, env, signal and source. The help texts
are in ``HELP``.
"""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from agents.checkpoint import Checkpoint
from agents.exporter import Exporter
from agents.ledger import Ledger
from agents.processors import Redactions
from agents.reports import as_report
from agents.spool import Spool

HELP = {
    "fuseboard_agent_read_blocks_total": "Blocks made durable in the spool.",
    "fuseboard_agent_read_bytes_total": "Their uncompressed bytes.",
    "fuseboard_agent_shipped_blocks_total": "Blocks that a collector has acknowledged.",
    "fuseboard_agent_shipped_bytes_total": "Their uncompressed bytes.",
    "fuseboard_agent_spooled_blocks": "Blocks read and not settled.",
    "fuseboard_agent_spooled_bytes": "Their uncompressed bytes.",
    "fuseboard_agent_rejected_blocks_total": "Blocks that a collector refused for good; they are in the quarantine.",
    "fuseboard_agent_rejected_bytes_total": "Their uncompressed bytes.",
    "fuseboard_agent_duplicate_blocks_total": "Shipped blocks that the collector had already.",
    "fuseboard_agent_dropped_blocks_total": "Blocks shed, by reason.",
    "fuseboard_agent_dropped_bytes_total": "Their uncompressed bytes, and those of lines taken out of shipped blocks.",
    "fuseboard_agent_dropped_lines_total": "Lines shed, by reason, whole blocks' lines included.",
    "fuseboard_agent_redacted_total": "Secrets taken out of lines since the start, by kind.",
    "fuseboard_agent_spool_disk_bytes": "Size of the spool's files.",
    "fuseboard_agent_spool_corrupt_bytes_total": "Damaged bytes passed over in the spool since the start.",
    "fuseboard_agent_spool_rewrites_total": "Times that blocks were written again because an fsync had failed, since the start.",
    "fuseboard_agent_checkpoint_fallbacks_total": "Times that a start found a checkpoint that it could not read.",
    "fuseboard_agent_spool_oldest_age_seconds": "Age of the oldest block being sent.",
    "fuseboard_agent_lag_bytes": "Bytes that files hold and that are not in the spool.",
    "fuseboard_agent_requests_total": "Requests to collectors since the start.",
    "fuseboard_agent_refused_requests_total": "Of those, refused or not connected.",
    "fuseboard_agent_unknown_requests_total": "Of those, without an answer.",
}


class MetricsServer:
    """Answers ``GET /metrics``."""

    def __init__(
        self,
        listen: tuple[str, int],
        ledger: Ledger,
        spool: Spool,
        exporter: Exporter,
        lag_bytes: Callable[[], int],
        redactions: Redactions,
    ) -> None:
        """
        Bind the address.

        Raises:
            OSError: It is taken.
        """
        self._ledger = ledger
        self._spool = spool
        self._exporter = exporter
        self._lag_bytes = lag_bytes
        self._redactions = redactions
        self._server = ThreadingHTTPServer(listen, _handler(self.render))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def render(self) -> bytes:
        """Write the exposition."""
        samples = [*_streams(self._ledger.counters()), *self._process()]
        lines: list[str] = []
        for name, text in HELP.items():
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
            lines += [f"{name}{labels} {value}" for found, labels, value in samples if found == name]
        return ("\n".join(lines) + "\n").encode()

    def _process(self) -> Iterator[tuple[str, str, float]]:
        seen = self._exporter.seen
        values = {
            "spool_disk_bytes": self._spool.used_bytes(),
            "spool_corrupt_bytes_total": self._spool.corrupt_bytes,
            "spool_rewrites_total": self._spool.rewrites,
            "checkpoint_fallbacks_total": self._ledger.counters().fallbacks,
            "spool_oldest_age_seconds": self._spool.oldest_age_s(),
            "lag_bytes": self._lag_bytes(),
            "requests_total": seen.requests,
            "refused_requests_total": seen.refused,
            "unknown_requests_total": seen.unknown,
        }
        for name, value in values.items():
            yield f"fuseboard_agent_{name}", "", value
        for kind, made in self._redactions.made().items():
            yield "fuseboard_agent_redacted_total", f'{{kind="{kind}"}}', made


def _streams(books: Checkpoint) -> Iterator[tuple[str, str, float]]:
    """Give (name, labels, value) for every counter of every stream."""
    for stream, counters in books.counters.items():
        report = as_report(stream, counters)
        labels = ",".join(
            f'{name}="{_escaped(report.pop(name))}"' for name in ("service", "env", "signal", "source")
        )
        for reason, pair in report.pop("dropped").items():
            for unit, value in pair.items():
                yield f"fuseboard_agent_dropped_{unit}_total", f'{{{labels},reason="{reason}"}}', value
        for name, value in report.items():
            suffix = "" if name.startswith("spooled") else "_total"
            yield f"fuseboard_agent_{name}{suffix}", f"{{{labels}}}", value


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _handler(render: Callable[[], bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/metrics"
            body = render() if known else b"known here: /metrics\n"
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing per request."""

    return Handler
