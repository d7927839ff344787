"""
What the questions about traces cost over millions of spans: search, heatmap, one trace, comparison.

Spans are made by the engine itself: traces of ten spans over eight services, spread evenly over a day that ends now. One trace in fifty is slow because
its payment talks to ``replica-2`` under version 2.3; one in a hundred fails. Each figure is the median of *repeat* answers of the reader functions.

    python -m benchmarks.traces --spans 5000000 --data-dir /tmp/traces
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from collector.engine.process import Engine
from collector.query.search import SPANS, compile_search
from collector.query.window import SECOND_NS, Window, parse_time
from collector.read import trace_compare, trace_heatmap, traces
from collector.read.sql import Reader
from collector.store.client import Store
from collector.store.migrate import migrate

_DAY_S = 86_400
_PER_TRACE = 10
_BLOCK_TRACES = 50_000

_SPANS = """
INSERT INTO spans (start, duration_ns, trace_id, span_id, parent_span_id, service, env, name, kind, status, attributes, resource,
                   observed_at, batch_id, retention_days)
WITH ['gateway', 'checkout', 'checkout', 'cart', 'cart', 'inventory', 'payment', 'payment', 'search', 'notifications'] AS services,
     ['POST /buy', 'POST /checkout', 'charge', 'GET /cart', 'SELECT cart', 'POST /reserve', 'POST /charge', 'INSERT charge', 'GET /suggest', 'send mail'] AS names,
     ['server', 'server', 'client', 'server', 'client', 'server', 'server', 'client', 'server', 'consumer'] AS kinds,
     [-1, 0, 1, 1, 3, 1, 2, 6, 0, 1] AS parents,
     (trace, i) -> lower(hex(cityHash64('span', trace, i))) AS id,
     cityHash64('shape', trace) AS h, h % 50 = 0 AS slow, h % 100 = 7 AS failing,
     (1 + (h % 1000) / 500) * if(slow, 12, 1) AS factor
SELECT fromUnixTimestamp64Nano(toInt64({end:Int64} - (trace + 1) * intDiv({day_ns:Int64}, {traces:Int64}) + i * 1500000), 'UTC') AS start,
       toUInt64([48, 40, 22, 9, 6, 8, 18, 15, 4, 3][i + 1] * 1e6 * if(i IN (0, 1, 2, 6, 7), factor, 1)) AS duration_ns,
       concat(lower(hex(cityHash64('a', trace))), lower(hex(cityHash64('b', trace)))) AS trace_id,
       id(trace, i) AS span_id, if(parents[i + 1] < 0, '', id(trace, parents[i + 1])) AS parent_span_id,
       services[i + 1] AS service, 'demo' AS env, names[i + 1] AS name, kinds[i + 1] AS kind,
       if(failing AND i IN (0, 1, 2, 6), 'error', 'unset') AS status,
       map('http.request.method', 'POST', 'http.route', splitByChar(' ', name)[2],
           'http.response.status_code', if(status = 'error', '503', '200'), 'user.id', toString(h % 50000),
           'url.path', concat('/v1/', toString(h % 9000)), 'server.address', service, 'thread.id', toString(h % 64),
           'db.instance', if(i = 7, if(slow, 'replica-2', ['replica-1', 'replica-3'][1 + h % 2]), '')) AS attributes,
       map('service.name', service, 'service.version', if(slow AND service = 'payment', '2.3', '2.2'),
           'host.name', concat(service, '-', toString(intDiv(h, 1000) % 4)), 'telemetry.sdk.language', 'python', 'k8s.pod.name',
           concat(service, '-', toString(intDiv(h, 1000) % 4)), 'deployment.environment.name', 'demo') AS resource,
       start AS observed_at, 'bench' AS batch_id, 3000 AS retention_days
FROM (SELECT number AS trace FROM numbers({offset:UInt64}, {count:UInt64})) ARRAY JOIN range(10) AS i
"""


def fill(store: Store, spans: int, end_ns: int) -> None:
    """Insert *spans* spans whose last traces begin at *end_ns*."""
    total = spans // _PER_TRACE
    for offset in range(0, total, _BLOCK_TRACES):
        count = min(_BLOCK_TRACES, total - offset)
        params = {
            "end": end_ns,
            "day_ns": _DAY_S * SECOND_NS,
            "traces": total,
            "offset": offset,
            "count": count,
        }
        store.command(_SPANS, params, {"max_insert_threads": 1, "max_block_size": 65_536})


def main() -> None:
    """Fill a data directory if it is empty, then ask."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spans", type=int, default=5_000_000, help="spans to make (default 5 M)")
    parser.add_argument("--data-dir", type=Path, required=True, help="of the database; kept for the next run")
    parser.add_argument("--repeat", type=int, default=5, help="answers per figure (default 5)")
    asked = parser.parse_args()
    engine = Engine(asked.data_dir / "db")
    engine.start()
    try:
        while engine.state.state != "up":
            time.sleep(0.1)
        store = Store(engine.target, timeout_s=600)
        migrate(store)
        if not store.query("SELECT count() AS spans FROM spans").rows[0]["spans"]:
            fill(store, asked.spans, time.time_ns())
        _measure(store, engine, asked.repeat)
    finally:
        engine.stop()


_NEWEST = "SELECT max(start) AS newest, count() AS spans FROM spans"


def _measure(store: Store, engine: Engine, repeat: int) -> None:
    known = store.query(_NEWEST).rows[0]
    end_ns = parse_time(known["newest"], "newest", 0) + 1
    print(f"{known['spans']:,} spans; median wall ms, CPU-ms of the engine per answer")
    for name, work in _questions(end_ns):
        spent, walls = _cpu_s(engine), []
        for _ in range(repeat):
            began = time.perf_counter()
            work(Reader(store))
            walls.append(time.perf_counter() - began)
        cpu = (_cpu_s(engine) - spent) / repeat
        print(f"{name:<44} {statistics.median(walls) * 1000:>8.0f} {cpu * 1000:>8.0f}", flush=True)


def _questions(end_ns: int) -> Iterator[tuple[str, Callable[[Reader], object]]]:
    selection = trace_compare.Selection(min_duration_ms=200)
    for hours in (1, 24):
        window = Window(end_ns - hours * 3600 * SECOND_NS, end_ns, end_ns)
        asked = {
            "all": traces.Wanted(window),
            "failed": traces.Wanted(window, error=True),
            "service and name": traces.Wanted(window, service="payment", name="POST /charge"),
            "attribute": traces.Wanted(window, compile_search("db.instance:replica-2", SPANS, end_ns)),
        }
        for name, wanted in asked.items():
            yield f"search {hours} h, {name}", partial(traces.search, wanted=wanted, page=traces.Page())
            yield (
                f"heatmap {hours} h, {name}",
                partial(trace_heatmap.heatmap, wanted=wanted, columns=60, rows=24),
            )
        everything = partial(trace_compare.compare, wanted=asked["all"], selection=selection, limit=30)
        yield f"comparison {hours} h, slower than 200 ms", everything


def _cpu_s(engine: Engine) -> float:
    """CPU seconds of the engine's process until now (Linux)."""
    fields = Path(f"/proc/{engine.state.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
