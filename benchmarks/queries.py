"""
The questions that ClickHouse's peers were asked about the same million, over the collector's HTTP API: median milliseconds of seven.

Asked by ``python benchmarks/ingest.py`` once its million is in and merging is quiet: over the hour in which its lines lie, on one
connection, each question once before it is measured. Nothing is cached between: the engine has no query cache switched on.

==========================  ============================================================  ========
question                    asked as                                                      at most
==========================  ============================================================  ========
count by service            ``/api/v1/logs/facets?fields=service``, two hours             3 ms
rare word, newest 100       ``/api/v1/logs?query=<a customer's number>``                  40 ms
trace by id                 ``/api/v1/logs?query=trace_id:…``                             12 ms
errors per minute           ``/api/v1/logs/histogram?query=severity:>=error&buckets=60``  15 ms
top routes by p95           ``/api/v1/sql``, over two attributes                          150 ms
newest 100 of a service     ``/api/v1/logs?query=service:checkout``                       15 ms
==========================  ============================================================  ========
"""

from __future__ import annotations

import http.client
import json
import statistics
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

AT_MOST_MS = {
    "count by service": 3.0,
    "rare word, newest 100": 40.0,
    "trace by id": 12.0,
    "errors per minute": 15.0,
    "top routes by p95": 150.0,
    "newest 100 of a service": 15.0,
}
_TIMES = 7
_HOUR_S = 3600
_TOP_ROUTES = """
SELECT attributes['http.route'] AS route, quantile(0.95)(toFloat64OrZero(attributes['duration_ms'])) AS p95_ms, count() AS records
FROM logs
WHERE occurred_at >= fromUnixTimestamp64Milli({start}) AND occurred_at < fromUnixTimestamp64Milli({end}) AND route != ''
GROUP BY route ORDER BY p95_ms DESC LIMIT 10
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """
    What the questions are about.

    Attributes:
        trace_id: Of one line.
        word: In the text of a few lines in a million.
        end_s: Just behind the newest line, epoch seconds; the hour before it is asked about.
    """

    trace_id: str
    word: str
    end_s: float


def ask(port: int, sample: Sample) -> dict[str, float]:
    """Ask everything; return milliseconds by question."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    found = {name: _median_ms(connection, *request) for name, request in _requests(sample).items()}
    connection.close()
    return found


def _requests(sample: Sample) -> dict[str, tuple[str, str, str | None, int]]:
    """Return method, path, body and the fewest rows of an honest answer, by question."""
    start_s = sample.end_s - _HOUR_S

    def get(path: str, rows: int, hours: int = 1, **parameters: str | int) -> tuple[str, str, None, int]:
        window = {"start": f"{sample.end_s - hours * _HOUR_S:.3f}", "end": f"{sample.end_s:.3f}"}
        return "GET", f"/api/v1/logs{path}?{urlencode({**parameters, **window})}", None, rows

    sql = _TOP_ROUTES.format(start=round(start_s * 1000), end=round(sample.end_s * 1000))
    return {
        "count by service": get("/facets", 1, hours=2, fields="service"),
        "rare word, newest 100": get("", 1, query=sample.word, limit=100),
        "trace by id": get("", 1, query=f"trace_id:{sample.trace_id}", limit=100),
        "errors per minute": get("/histogram", 1, query="severity:>=error", buckets=60),
        "top routes by p95": ("POST", "/api/v1/sql", json.dumps({"query": sql}), 6),
        "newest 100 of a service": get("", 100, query="service:checkout", limit=100),
    }


def _median_ms(
    connection: http.client.HTTPConnection, method: str, path: str, body: str | None, rows: int
) -> float:
    _answered(connection, method, path, body, rows)
    took = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        _answered(connection, method, path, body, rows)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def _answered(
    connection: http.client.HTTPConnection, method: str, path: str, body: str | None, rows: int
) -> None:
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    answer = connection.getresponse()
    raw = answer.read()
    found: dict[str, Any] = json.loads(raw) if answer.status == 200 else {}
    if len(found.get("data", ())) < rows:
        raise SystemExit(f"{path}: {answer.status}, fewer than {rows} rows: {raw[:300]!r}")
