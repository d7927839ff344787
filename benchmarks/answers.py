"""
How long answers take on a day of a busy system: 20 M log records, 5 M spans, 50 M samples, over the collector's HTTP API.

    python benchmarks/answers.py [--scale 1.0] [--times 20] [--json]

The rows are made in ClickHouse by SQL, seeded by their numbers, into the real schema (every index, view and rollup; only the way in is left out),
spread over the 24 hours before the run, and left to merge. Then a collector is started over them and asked, one connection, each question once
before it is measured, *times* times after; p50 and p95 in milliseconds. Live tail: the time from a line's 2xx to its event at a viewer.

At full scale: about three minutes and 6 GB of disk, most of it spent on making the rows.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from collector.engine.process import Engine
from collector.store.client import Store
from collector.store.migrate import migrate

ROOT = Path(__file__).parents[1]
LOGS, SPANS, SAMPLES = 20_000_000, 5_000_000, 50_000_000
DAY_S, STEP_S = 86_400, 15
SERIES_ASKED = 1000
# Question -> at most so many milliseconds (p50), where the project wants a figure.
TARGETS_MS = {
    "patterns over 1 M records": 2000.0,
    "PromQL sum by (service)(rate(x[5m])), 6 h, 1,000 series": 300.0,
    "PromQL instant": 30.0,
    "tail, 2xx to viewer": 2500.0,
}
_CHUNK = 1_000_000

_LOG_ROWS = """
INSERT INTO logs (occurred_at, observed_at, service, env, severity, severity_number, body, trace_id, span_id, attributes, resource, batch_id, line, retention_days)
WITH sipHash64(number) AS h, h % 1000 AS kind,
     ['order ', 'cart ', 'payment ', 'session ', 'stock of item ', 'address '][h % 6 + 1] AS thing,
     ['accepted', 'queued', 'fetched', 'stored', 'priced', 'reserved', 'rendered', 'expired'][intDiv(h, 7) % 8 + 1] AS verb,
     ['/v1/cart', '/v2/cart/{id}', '/v1/orders', '/v1/orders/{id}', '/v1/items/{sku}', '/v1/pay'][intDiv(h, 11) % 6 + 1] AS route
SELECT fromUnixTimestamp64Nano({start_ns:Int64} + toInt64(number * {step_ns:Float64}), 'UTC') AS at, at,
       ['gateway', 'catalog', 'cart', 'checkout', 'payment', 'inventory', 'notifications', 'search'][h % 8 + 1], 'prod',
       multiIf(kind < 10, 'error', kind < 60, 'warn', 'info'), multiIf(kind < 10, 17, kind < 60, 13, 9),
       if(number % 1000003 = 77, 'a word as rare as quetzalcoatl', concat(thing, toString(h % 1000000), ' ', verb, ' for customer ', toString(h % 50000))),
       lower(hex(sipHash128(intDiv(number, 4)))), substring(lower(hex(h)), 1, 16),
       map('http.request.method', if(h % 3 = 0, 'POST', 'GET'), 'http.route', route, 'http.response.status_code', if(kind < 10, '500', '200'),
           'duration_ms', toString(round(-20 * log(1 - (h % 9973) / 9973), 3)), 'user.id', toString(h % 50000), 'sequence', toString(number)),
       map('service.version', '1.4', 'host.name', concat('node-', toString(h % 12))),
       concat('b', toString(intDiv(number, 2500))), number % 2500, 30
FROM numbers({from:UInt64}, {count:UInt64})
"""
_SPAN_ROWS = """
INSERT INTO spans (start, duration_ns, trace_id, span_id, parent_span_id, service, env, name, kind, status, status_message, attributes, resource,
                   events, links, observed_at, batch_id, retention_days)
WITH intDiv(number, 5) AS trace, number % 5 AS place, sipHash64(trace) AS h,
     ['gateway', 'checkout', 'payment', 'cart', 'inventory'] AS names, ['/v1/cart', '/v1/orders', '/v1/pay', '/v1/items/{sku}'][h % 4 + 1] AS route
SELECT fromUnixTimestamp64Nano({start_ns:Int64} + toInt64(trace * 5 * {step_ns:Float64}) + place * 1000000, 'UTC') AS at,
       toUInt64((5 - place) * 3e6 * (1 - log(1 - (h % 9973) / 9973))), lower(hex(sipHash128(trace))), substring(lower(hex(sipHash64(number))), 1, 16),
       if(place = 0, '', substring(lower(hex(sipHash64(number - 1))), 1, 16)), names[place + 1], 'prod', concat('GET ', route), if(place = 0, 'server', ['client', 'server'][h % 2 + 1]),
       if(h % 100 = 0 AND place < 3, 'error', 'ok'), if(h % 100 = 0 AND place = 2, 'card declined', ''),
       map('http.request.method', 'GET', 'http.route', route, 'http.response.status_code', if(h % 100 = 0, '500', '200'), 'user.id', toString(h % 50000), 'server.address', names[least(place + 2, 5)]),
       map('service.version', '1.4', 'host.name', concat('node-', toString(h % 12))), [], [], at, 'b', 30
FROM numbers({from:UInt64}, {count:UInt64})
"""
_SERIES_ROWS = """
INSERT INTO metric_series (series_id, name, type, unit, temporality, service, env, labels, help, original_name, first_seen, last_seen)
SELECT number + 1, if(number < {asked:UInt64}, 'http_requests_total', concat('other_', toString(number % 97), '_total')), 'counter', '', 'cumulative',
       concat('service-', toString(number % 20)), 'prod',
       map('instance', concat('i', toString(number % 50)), 'route', concat('/r', toString(intDiv(number, 50) % 20)), 'service', concat('service-', toString(number % 20)),
           'code', if(number % 10 = 0, '500', '200'), 'number', toString(number)), '', '',
       fromUnixTimestamp64Milli(intDiv({start_ns:Int64}, 1000000), 'UTC'), fromUnixTimestamp64Milli(intDiv({start_ns:Int64}, 1000000) + 86400000, 'UTC')
FROM numbers({series:UInt64})
"""
_SAMPLE_ROWS = """
INSERT INTO metric_samples (series_id, at, value, retention_days)
SELECT number % {series:UInt64} + 1 AS id, fromUnixTimestamp64Milli(intDiv({start_ns:Int64}, 1000000) + toInt64(intDiv(number, {series:UInt64})) * 15000 + toInt64(id % 15000), 'UTC'),
       toFloat64(intDiv(number, {series:UInt64}) * (1 + id % 7)), 30
FROM numbers({from:UInt64}, {count:UInt64})
"""


def make(data: Path, scale: float, end_s: int) -> dict[str, int]:
    """Fill a database at *data* with a day that ends at *end_s*; returns the numbers of rows."""
    engine = Engine(data / "engine")
    engine.start()
    store = Store(engine.target, timeout_s=600)
    while engine.state.state != "up":
        time.sleep(0.05)
    migrate(store)
    rows = {"logs": int(LOGS * scale), "spans": int(SPANS * scale), "samples": int(SAMPLES * scale)}
    series = max(SERIES_ASKED, rows["samples"] * STEP_S // DAY_S)
    start_ns = (end_s - DAY_S) * 10**9
    for name, sql, total in (
        ("logs", _LOG_ROWS, rows["logs"]),
        ("spans", _SPAN_ROWS, rows["spans"]),
        ("samples", _SAMPLE_ROWS, rows["samples"]),
    ):
        for first in range(0, total, _CHUNK):
            store.command(sql, {"start_ns": start_ns, "step_ns": DAY_S * 1e9 / total, "from": first, "count": min(_CHUNK, total - first), "series": series},
                          {"max_partitions_per_insert_block": 0, "max_insert_threads": 2})  # fmt: skip
        print(f"made {total:,} {name}", file=sys.stderr)
    store.command(_SERIES_ROWS, {"start_ns": start_ns, "series": series, "asked": SERIES_ASKED})
    _settle(store)
    engine.stop()
    return rows


def _settle(store: Store, most_s: float = 300.0) -> None:
    """Wait until nothing has been merged for three seconds."""
    deadline, quiet = time.monotonic() + most_s, 0
    while quiet < 3 and time.monotonic() < deadline:
        time.sleep(1)
        quiet = quiet + 1 if store.query("SELECT count() AS n FROM system.merges").rows[0]["n"] == 0 else 0


@contextmanager
def serving(data: Path) -> Iterator[int]:
    """Run a collector over *data*; gives its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "collector", "serve", "--data-dir", str(data), "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
    environment = {**os.environ, "FUSEBOARD_GRPC_PORT": "0"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if _get(port, "/readyz")[0] == 200:
                    break
            except OSError:
                pass
            time.sleep(0.2)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _get(port: int, path: str, parameters: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("GET", f"{path}?{urlencode(parameters)}" if parameters else path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def questions(end_s: int, rows: Mapping[str, int]) -> dict[str, tuple[str, dict[str, str]]]:
    """Give every question: a path and its parameters."""
    day = {"start": str(end_s - DAY_S), "end": str(end_s)}
    million_s = DAY_S * min(1_000_000 / rows["logs"], 1.0)
    lately = {"start": str(int(end_s - million_s)), "end": str(end_s)}
    six = {"start": str(end_s - 6 * 3600), "end": str(end_s), "step": "60"}
    asked = "sum by (service)(rate(http_requests_total[5m]))"
    return {
        "rare word, 24 h": ("/api/v1/logs", {**day, "query": "quetzalcoatl"}),
        "newest 100 with a filter": ("/api/v1/logs", {**day, "query": "service:checkout severity:>=error"}),
        "newest 100 by an attribute": ("/api/v1/logs", {**day, "query": "user.id:4711"}),
        "histogram, 24 h": ("/api/v1/logs/histogram", day),
        "histogram of a search, 24 h": ("/api/v1/logs/histogram", {**day, "query": "severity:>=error"}),
        "facets, 24 h": ("/api/v1/logs/facets", {**day, "fields": "service,severity"}),
        "facets of an attribute, 24 h": ("/api/v1/logs/facets", {**day, "fields": "http.route"}),
        "patterns over 1 M records": ("/api/v1/logs/patterns", lately),
        "newest traces": ("/api/v1/traces", day),
        "traces that fail, of a service": ("/api/v1/traces", {**day, "service": "payment", "error": "true"}),
        "traces by an attribute": ("/api/v1/traces", {**day, "query": "user.id:4711"}),
        "slow traces": ("/api/v1/traces", {**day, "min_duration_ms": "100"}),
        "trace heatmap, 24 h": ("/api/v1/traces/heatmap", day),
        "services": ("/api/v1/services", {"end": str(end_s)}),
        "map, 1 h": ("/api/v1/map", {"start": str(end_s - 3600), "end": str(end_s)}),
        "causes, 1 h": ("/api/v1/causes", {"start": str(end_s - 3600), "end": str(end_s)}),
        "endpoints": ("/api/v1/endpoints", day),
        "PromQL sum by (service)(rate(x[5m])), 6 h, 1,000 series": ("/prometheus/api/v1/query_range", {**six, "query": asked}),
        "PromQL instant": ("/prometheus/api/v1/query", {"time": str(end_s - 60), "query": 'http_requests_total{number="17"}'}),
        "PromQL instant, rate over 1,000 series": ("/prometheus/api/v1/query", {"time": str(end_s - 60), "query": asked}),
    }  # fmt: skip


def measure(port: int, path: str, parameters: Mapping[str, str], times: int) -> tuple[float, float]:
    """Ask *times* times; returns p50 and p95, milliseconds."""
    status, body = _get(port, path, parameters)
    if status != 200:
        raise SystemExit(f"{path} {dict(parameters)}: {status} {body[:300]!r}")
    took = []
    for _ in range(times):
        began = time.perf_counter()
        _get(port, path, parameters)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), sorted(took)[max(0, -(-len(took) * 95 // 100) - 1)]


def trace_question(port: int, end_s: int) -> tuple[str, dict[str, str]]:
    """Give the question for one trace of some hours ago."""
    there = {"start": str(end_s - 9 * 3600), "end": str(end_s - 8 * 3600), "limit": "1"}
    rows = json.loads(_get(port, "/api/v1/traces", there)[1])["data"]
    return f"/api/v1/traces/{rows[0]['trace_id']}", {}


def tail(port: int, times: int) -> list[float]:
    """Follow the live tail and send lines; returns milliseconds from each 2xx to its event."""
    arrived: dict[str, float] = {}
    begun = threading.Event()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/api/v1/logs/tail?" + urlencode({"query": "service:tailed"}))
    stream = connection.getresponse()

    def follow() -> None:
        begun.set()
        for line in stream:
            text = line.decode(errors="replace")
            if "needle-" in text:
                arrived.setdefault(text.split("needle-")[1][:6], time.perf_counter())

    threading.Thread(target=follow, daemon=True).start()
    begun.wait()
    took = []
    for number in range(times):
        name = f"{number:06}"
        sender = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        sender.request(
            "POST",
            "/v1/lines",
            f'{{"message":"needle-{name}"}}',
            {"Fuseboard-Resource": "service.name=tailed"},
        )
        sender.getresponse().read()
        acknowledged = time.perf_counter()
        sender.close()
        deadline = acknowledged + 20
        while name not in arrived and time.perf_counter() < deadline:
            time.sleep(0.01)
        took.append((arrived.get(name, deadline) - acknowledged) * 1000)
        time.sleep(0.37)
    return took


def main() -> None:
    """Make the day, ask, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of rows; default 1")
    parser.add_argument(
        "--times", type=int, default=20, help="how often each question is measured; default 20"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    asked = parser.parse_args()
    data = Path(tempfile.mkdtemp(prefix="fuseboard-answers-"))
    end_s = int(time.time()) // 60 * 60
    try:
        rows = make(data, asked.scale, end_s)
        with serving(data) as port:
            every = {**questions(end_s, rows), "trace by id": trace_question(port, end_s)}
            found = {name: measure(port, *question, asked.times) for name, question in every.items()}
            late = sorted(tail(port, asked.times))
            found["tail, 2xx to viewer"] = (
                statistics.median(late),
                late[max(0, -(-len(late) * 95 // 100) - 1)],
            )
    finally:
        shutil.rmtree(data, ignore_errors=True)
    if asked.json:
        print(json.dumps({"rows": rows, "ms": found}))
        return
    print(", ".join(f"{count:,} {name}" for name, count in rows.items()))
    for name, (p50, p95) in found.items():
        most = TARGETS_MS.get(name)
        verdict = "" if most is None else f"  {'met' if p50 <= most else 'missed'}: at most {most:,.0f}"
        print(f"{name:58} p50 {p50:8.1f} ms   p95 {p95:8.1f} ms{verdict}")


if __name__ == "__main__":
    main()
