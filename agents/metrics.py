"""
The agent's own metrics, on loopback when ``metrics_listen`` is set.

``<component>_<what>_<unit>``; drops carry ``reason``; every stream carries service, env, signal and source. The help texts
are in ``HELP``.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from agents import __version__
from agents.checkpoint import Checkpoint
from agents.exporter import Exporter
from agents.ledger import Ledger
from agents.own_transitions import OwnTransitions
from agents.processors import Redactions
from agents.quarantine import Quarantine
from agents.reports import Reporter, as_report
from agents.route import Route
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
    "fuseboard_agent_unknown_requests_total": "Of those, without an answer that says whether the block was taken.",
    "fuseboard_agent_answered_requests_total": "Of those, with an answer of whatever kind.",
    "fuseboard_agent_request_seconds_total": "Seconds until those answers.",
    "fuseboard_agent_key_refused_requests_total": "Requests answered 401 since the start.",
    "fuseboard_agent_breaker_state": "1 for the state in which the breaker of a collector is, 0 for the others.",
    "fuseboard_agent_collector_current": "1 for the collector that new blocks go to.",
    "fuseboard_agent_collector_key_refused": "1 while a collector does not know our key.",
    "fuseboard_agent_dropped_transitions_total": "Transitions of our own breakers that found no room, since the start.",
    "fuseboard_agent_reports_waiting": "Reports that could not be delivered yet.",
    "fuseboard_agent_reports_refused_total": "Reports that a collector refused for good, since the start.",
    "fuseboard_agent_quarantine_blocks": "Blocks in the quarantine.",
    "fuseboard_agent_quarantine_bytes": "Size of their files.",
    "fuseboard_agent_quarantine_retried_blocks_total": "Quarantined blocks that a collector took after all, since the start.",
    "fuseboard_agent_quarantine_evicted_blocks_total": "Quarantined blocks that made room for newer ones, since the start.",
    "fuseboard_agent_relay_turned_away_total": "Connections to the relay beyond its bound, since it listens.",
    "fuseboard_agent_build_info": "1, with the versions of the agent and of Python.",
    "fuseboard_agent_uptime_seconds": "Seconds since the start.",
    "fuseboard_agent_cpu_seconds_total": "CPU seconds used, user and system.",
    "fuseboard_agent_resident_bytes": "Memory that is resident.",
    "fuseboard_agent_open_files": "Open descriptors, sockets included.",
}
STATES = ("closed", "open", "half_open")
Samples = Iterator[tuple[str, str, float]]


@dataclass(frozen=True, slots=True)
class Watched:
    """What the metrics are read from."""

    ledger: Ledger
    spool: Spool
    exporter: Exporter
    route: Route
    reporter: Reporter
    quarantine: Quarantine
    transitions: OwnTransitions
    redactions: Redactions
    lag_bytes: Callable[[], int]
    turned_away: Callable[[], int]


class MetricsServer:
    """Answers ``GET /metrics``."""

    def __init__(self, listen: tuple[str, int], watched: Watched) -> None:
        """
        Bind the address.

        Raises:
            OSError: It is taken.
        """
        self._watched = watched
        self._began = time.monotonic()
        self._server = HTTPServer(listen, _handler(self.render))  # one request at a time: nobody can flood it
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
        watched = self._watched
        samples = [
            *_streams(watched.ledger.counters()),
            *_shipping(watched),
            *_collectors(watched.route),
            *_process(self._began),
        ]
        lines: list[str] = []
        for name, text in HELP.items():
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
            lines += [f"{name}{labels} {value}" for found, labels, value in samples if found == name]
        return ("\n".join(lines) + "\n").encode()


def _shipping(watched: Watched) -> Samples:
    seen, quarantined = watched.exporter.seen, watched.quarantine.amounts()
    values = {
        "spool_disk_bytes": watched.spool.used_bytes(),
        "spool_corrupt_bytes_total": watched.spool.corrupt_bytes,
        "spool_rewrites_total": watched.spool.rewrites,
        "checkpoint_fallbacks_total": watched.ledger.counters().fallbacks,
        "spool_oldest_age_seconds": watched.spool.oldest_age_s(),
        "lag_bytes": watched.lag_bytes(),
        "requests_total": seen.requests,
        "refused_requests_total": seen.refused,
        "unknown_requests_total": seen.unknown,
        "answered_requests_total": seen.answered,
        "request_seconds_total": round(seen.seconds, 6),
        "key_refused_requests_total": seen.key_refused,
        "dropped_transitions_total": watched.transitions.dropped,
        "reports_waiting": watched.reporter.waiting,
        "reports_refused_total": watched.reporter.refused,
        "quarantine_blocks": quarantined[0],
        "quarantine_bytes": quarantined[1],
        "quarantine_retried_blocks_total": watched.quarantine.retried,
        "quarantine_evicted_blocks_total": watched.quarantine.evicted,
        "relay_turned_away_total": watched.turned_away(),
    }
    for name, value in values.items():
        yield f"fuseboard_agent_{name}", "", value
    for kind, made in watched.redactions.made().items():
        yield "fuseboard_agent_redacted_total", f'{{kind="{kind}"}}', made


def _collectors(route: Route) -> Samples:
    for it in route.standings():
        collector = f'collector="{_escaped(it.url)}"'
        for state in STATES:
            labels = f'{{{collector},state="{state}"}}'
            yield "fuseboard_agent_breaker_state", labels, int(it.state == state)
        yield "fuseboard_agent_collector_current", f"{{{collector}}}", int(it.current)
        yield "fuseboard_agent_collector_key_refused", f"{{{collector}}}", int(it.key_refused)


def _process(began: float) -> Samples:
    """Say what the agent itself costs (proc(5))."""
    versions = f'{{version="{__version__}",python="{sys.version.split()[0]}"}}'
    used = os.times()
    resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    yield "fuseboard_agent_build_info", versions, 1
    yield "fuseboard_agent_uptime_seconds", "", round(time.monotonic() - began, 3)
    yield "fuseboard_agent_cpu_seconds_total", "", round(used.user + used.system, 3)
    yield "fuseboard_agent_resident_bytes", "", resident_pages * os.sysconf("SC_PAGE_SIZE")
    yield "fuseboard_agent_open_files", "", len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names only


def _streams(books: Checkpoint) -> Samples:
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
        timeout = 5.0

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
