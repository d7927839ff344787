"""
A day of a busy system as rows: logs, spans and samples made in ClickHouse by SQL, seeded by their numbers, into the real schema
(every index, view and rollup; only the way in is left out), spread over 24 hours and left to merge.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from collector.engine.process import Engine
from collector.store.client import Store
from collector.store.migrate import migrate

LOGS, SPANS, SAMPLES = 20_000_000, 5_000_000, 50_000_000
DAY_S, STEP_S = 86_400, 15
SERIES_ASKED = 1000
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


@dataclass(frozen=True, slots=True)
class Day:
    """What was made: numbers of rows, and where the day ends, seconds since the epoch."""

    logs: int
    spans: int
    samples: int
    end_s: int


def filled(data: Path, scale: float) -> Day:
    """
    Fill the data directory *data* with a day that ends now, unless it holds one already: that is used as it is.

    Raises:
        SystemExit: *data* holds something else, or a day of another scale.
    """
    done = data / "day.json"
    if done.exists():
        day = Day(**json.loads(done.read_text()))
        if day.logs != int(LOGS * scale):
            raise SystemExit(
                f"{data} holds {day.logs:,} log records: give --scale {day.logs / LOGS:g}, or another directory"
            )
        return day
    if data.exists() and any(data.iterdir()):
        raise SystemExit(
            f"{data} is not empty and was not filled by this benchmark: give an empty or a new directory"
        )
    data.mkdir(parents=True, exist_ok=True)
    end_s = int(time.time()) // 60 * 60
    day = Day(int(LOGS * scale), int(SPANS * scale), int(SAMPLES * scale), end_s)
    engine = Engine(data / "engine")
    engine.start()
    try:
        while engine.state.state != "up":
            time.sleep(0.05)
        _make(Store(engine.target, timeout_s=600), day)
    finally:
        engine.stop()
    done.write_text(json.dumps(asdict(day)))
    return day


def _make(store: Store, day: Day) -> None:
    migrate(store)
    series = max(SERIES_ASKED, day.samples * STEP_S // DAY_S)
    start_ns = (day.end_s - DAY_S) * 10**9
    for name, sql, total in (
        ("logs", _LOG_ROWS, day.logs),
        ("spans", _SPAN_ROWS, day.spans),
        ("samples", _SAMPLE_ROWS, day.samples),
    ):
        for first in range(0, total, _CHUNK):
            # Under tokens, as every insert of the collector is: parts that no deduplication log tells of are set aside at the next start.
            settings = {
                "max_partitions_per_insert_block": 0,
                "max_insert_threads": 2,
                "insert_deduplication_token": f"{name}-{first}",
            }
            store.command(sql, {"start_ns": start_ns, "step_ns": DAY_S * 1e9 / total, "from": first, "count": min(_CHUNK, total - first), "series": series},
                          settings)  # fmt: skip
        print(f"made {total:,} {name}", file=sys.stderr)
    store.command(
        _SERIES_ROWS,
        {"start_ns": start_ns, "series": series, "asked": SERIES_ASKED},
        {"insert_deduplication_token": "series"},
    )
    _settle(store)


def _settle(store: Store, most_s: float = 300.0) -> None:
    """Wait until nothing has been merged for three seconds."""
    deadline, quiet = time.monotonic() + most_s, 0
    while quiet < 3 and time.monotonic() < deadline:
        time.sleep(1)
        quiet = quiet + 1 if store.query("SELECT count() AS n FROM system.merges").rows[0]["n"] == 0 else 0
