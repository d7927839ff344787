"""
A month of a large system as rollup rows: 200 services, 2,000 edges, 60 databases, 40 queues, three versions of each service; 5,000 breakers in two
instances each that open three times a day, 1,000 bulkheads.

The rows are made in ClickHouse by SQL, seeded by their numbers, straight into the rollups (no spans, no segments): what the views would have
left. The newest *dense* days have every minute of every service and edge; of the days before, one minute in `THIN` (a busy system has all of
them, and questions about the last hour read none of them). A statement is run once per day.

Places of each statement: ``{minute:DateTime('UTC')}``, the newest, which is also when its rows end; ``{minutes:UInt64}`` how many go back from
there, ``{every:UInt64}`` apart; ``{services:UInt64}``, ``{edges:UInt64}``. To add rows of a table, add a statement to `STATEMENTS`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from collector.query.window import SECOND_NS, sql_time
from collector.store.client import Store

DAY_S, MINUTE_S = 86_400, 60
# Of the days that are not dense, one minute in so many has rows.
THIN = 30
ENV = "prod"
# What a call took, nanoseconds: four of them per row.
_TOOK = "arrayReduce('quantilesTDigestState(0.5, 0.95, 0.99)', arrayMap(i -> toFloat64(2000000 + h % 30000000 + i * i * 900000), range(4)))"

_SERVICES = f"""
INSERT INTO service_minutes (minute, service, env, kind, route, status_class, version, retention_days, calls, errors, duration_ns_sum, duration_ns, last_at)
WITH number % ({{services:UInt64}} * 8) AS row, intDiv(row, 8) AS service, row % 8 AS part, sipHash64(number, {{minute:DateTime('UTC')}}) AS h
SELECT {{minute:DateTime('UTC')}} - toIntervalMinute(intDiv(number, {{services:UInt64}} * 8) * {{every:UInt64}}) AS minute,
       concat('svc-', leftPad(toString(service), 3, '0')), '{ENV}', if(part < 6, 'server', 'client'),
       if(part < 6, concat('/v1/', ['orders', 'items', 'carts', 'users', 'prices'][least(part, 4) + 1], '/{{id}}'), concat('GET peer-', toString(part))),
       if(part = 5, '5xx', '2xx'), concat('1.', toString({{day:UInt64}})), 60, if(part = 5, h % 3, 20 + h % 80) AS calls, if(part = 5, calls, 0), calls * (2000000 + h % 30000000),
       {_TOOK}, toDateTime64(minute, 9, 'UTC') + 59
FROM numbers({{services:UInt64}} * 8 * {{minutes:UInt64}})
"""
# Each service calls services behind it, and a database; the first 80 send to a queue or read from one.
_EDGE_MINUTES = f"""
INSERT INTO edge_minutes (minute, env, caller, callee, protocol, kind, route, retention_days, calls, errors, duration_ns_sum, duration_ns, last_at)
WITH number % {{edges:UInt64}} AS edge, edge % {{services:UInt64}} AS from, intDiv(edge, {{services:UInt64}}) AS nth, sipHash64(number, {{minute:DateTime('UTC')}}) AS h,
     concat('svc-', leftPad(toString(from), 3, '0')) AS one,
     concat('svc-', leftPad(toString((from + 1 + nth * 7 + nth * nth) % {{services:UInt64}}), 3, '0')) AS other,
     concat('queue-', toString(from % 40)) AS queue
SELECT {{minute:DateTime('UTC')}} - toIntervalMinute(intDiv(number, {{edges:UInt64}}) * {{every:UInt64}}) AS minute, '{ENV}',
       if(nth = 1 AND from BETWEEN 40 AND 79, queue, one),
       multiIf(nth = 0, concat('db-', toString(from % 60)), nth = 1 AND from < 40, queue, nth = 1 AND from < 80, one, other),
       multiIf(nth = 0, 'postgresql', nth = 1 AND from < 40, 'rabbitmq', nth = 1 AND from < 80, 'rabbitmq', 'http'),
       multiIf(nth = 1 AND from < 40, 'producer', nth = 1 AND from < 80, 'consumer', 'client'), 'GET /v1/items/{{id}}', 60,
       5 + h % 40 AS calls, if(h % 50 = 0, 1, 0), calls * (2000000 + h % 30000000), {_TOOK}, toDateTime64(minute, 9, 'UTC') + 59
FROM numbers({{edges:UInt64}} * {{minutes:UInt64}})
"""
# Forty queues, a producer and a consumer each.
_QUEUES = f"""
INSERT INTO queue_minutes (minute, env, system, queue, role, service, consumer_group, kind, operation, retention_days, calls, errors, messages, duration_ns_sum, last_at)
WITH number % 80 AS row, sipHash64(number, {{minute:DateTime('UTC')}}) AS h, if(row < 40, 'producer', 'consumer') AS end
SELECT {{minute:DateTime('UTC')}} - toIntervalMinute(intDiv(number, 80) * {{every:UInt64}}) AS minute, '{ENV}', 'rabbitmq', concat('queue-', toString(row % 40)), end,
       concat('svc-', leftPad(toString(row), 3, '0')), '', end, '', 60, 10 + h % 50 AS calls, 0, calls, calls * 3000000, toDateTime64(minute, 9, 'UTC') + 59
FROM numbers(80 * {{minutes:UInt64}})
"""
# Ten services at the entry, fifty clients in each of two views, five routes.
_ENTRIES = f"""
INSERT INTO entry_minutes (minute, env, service, by, client, method, route, retention_days, calls, errors, weighted_calls, weighted_errors, duration_ns, last_at)
WITH number % 1010 AS row, intDiv(row, 101) AS service, row % 101 AS client, sipHash64(number, {{minute:DateTime('UTC')}}) AS h
SELECT {{minute:DateTime('UTC')}} - toIntervalMinute(intDiv(number, 1010) * {{every:UInt64}}) AS minute, '{ENV}', concat('svc-', leftPad(toString(service), 3, '0')),
       multiIf(client = 100, '', client < 50, 'client', 'address') AS by, if(by = '', '', concat('client-', toString(client))), 'GET',
       concat('/v1/', ['orders', 'items', 'carts', 'users', 'prices'][h % 5 + 1], '/{{id}}'), 60, 5 + h % 20 AS calls, if(h % 40 = 0, 1, 0) AS errors, calls, errors,
       {_TOOK}, toDateTime64(minute, 9, 'UTC') + 59
FROM numbers(1010 * {{minutes:UInt64}})
"""
_LOG_MINUTES = f"""
INSERT INTO log_minutes (minute, service, env, severity, retention_days, records, bytes, last_at)
WITH number % ({{services:UInt64}} * 3) AS row, sipHash64(number, {{minute:DateTime('UTC')}}) AS h
SELECT {{minute:DateTime('UTC')}} - toIntervalMinute(intDiv(number, {{services:UInt64}} * 3) * {{every:UInt64}}) AS minute,
       concat('svc-', leftPad(toString(intDiv(row, 3)), 3, '0')), '{ENV}', ['info', 'warn', 'error'][row % 3 + 1], 60,
       if(row % 3 = 0, 200 + h % 100, h % 4) AS records, records * 200, toDateTime64(minute, 9, 'UTC') + 59
FROM numbers({{services:UInt64}} * 3 * {{minutes:UInt64}})
"""
# Hours: of the minutes of one day, each 60th.
_ENDPOINTS = f"""
INSERT INTO endpoint_usage (hour, service, env, method, route, version, retention_days, calls, errors, sampled, last_at)
WITH number % ({{services:UInt64}} * 5) AS row, sipHash64(number) AS h
SELECT toStartOfHour({{minute:DateTime('UTC')}}) - toIntervalHour(intDiv(number, {{services:UInt64}} * 5)) AS hour,
       concat('svc-', leftPad(toString(intDiv(row, 5)), 3, '0')), '{ENV}', 'GET',
       concat('/v1/', ['orders', 'items', 'carts', 'users', 'prices'][row % 5 + 1], '/{{id}}'), concat('1.', toString({{day:UInt64}} % 30)), 400,
       1000 + h % 5000, h % 9, 0, toDateTime64(hour, 9, 'UTC') + 3599
FROM numbers({{services:UInt64}} * 5 * 24)
"""
_CALLERS = f"""
INSERT INTO endpoint_callers (hour, env, service, method, route, version, caller, caller_version, retention_days, calls, errors, last_at)
WITH number % ({{services:UInt64}} * 10) AS row, sipHash64(number) AS h
SELECT toStartOfHour({{minute:DateTime('UTC')}}) - toIntervalHour(intDiv(number, {{services:UInt64}} * 10)) AS hour, '{ENV}',
       concat('svc-', leftPad(toString(intDiv(row, 10)), 3, '0')), 'GET',
       concat('/v1/', ['orders', 'items', 'carts', 'users', 'prices'][row % 5 + 1], '/{{id}}'), concat('1.', toString({{day:UInt64}} % 30)),
       concat('svc-', leftPad(toString((intDiv(row, 10) + 1 + row % 10) % {{services:UInt64}}), 3, '0')), concat('1.', toString({{day:UInt64}} % 30)), 400,
       100 + h % 500, h % 2, toDateTime64(hour, 9, 'UTC') + 3599
FROM numbers({{services:UInt64}} * 10 * 24)
"""
_DATABASES = f"""
INSERT INTO database_usage (hour, env, system, namespace, server, collection, operation, service, retention_days, calls, errors, duration_ns_sum, last_at)
WITH number % ({{services:UInt64}} * 4) AS row, intDiv(row, 4) AS from, sipHash64(number) AS h
SELECT toStartOfHour({{minute:DateTime('UTC')}}) - toIntervalHour(intDiv(number, {{services:UInt64}} * 4)) AS hour, '{ENV}', 'postgresql',
       concat('db-', toString(from % 60)), concat('pg-', toString(from % 60), ':5432'), concat('table_', toString(row % 4)),
       ['SELECT', 'INSERT', 'UPDATE', 'SELECT'][row % 4 + 1], concat('svc-', leftPad(toString(from), 3, '0')), 60,
       500 + h % 900 AS calls, h % 3, calls * 4000000, toDateTime64(hour, 9, 'UTC') + 3599
FROM numbers({{services:UInt64}} * 4 * 24)
"""
# A tenth of the services is deployed each day.
_DEPLOYS = f"""
INSERT INTO deploys (service, env, version, first_seen, last_seen)
SELECT concat('svc-', leftPad(toString(number), 3, '0')), '{ENV}', concat('1.', toString({{day:UInt64}})),
       toDateTime64({{minute:DateTime('UTC')}}, 9, 'UTC') - 1800 - number * 60, toDateTime64({{minute:DateTime('UTC')}}, 9, 'UTC') + 10 * 86400
FROM numbers({{services:UInt64}})
WHERE number % 10 = {{day:UInt64}} % 10
"""
# 25 breakers per service, two instances of each, three openings a day of 30 s: 90,000 transitions. Fifty are still open at the end.
_TRANSITIONS = f"""
INSERT INTO breaker_transitions (at, service, env, breaker, target, instance, from_state, to_state, reason, failure_rate, calls, not_permitted, derived,
                                 trace_id, observed_at, batch_id, source, retention_days)
WITH intDiv(number, 9) AS holder, intDiv(number % 9, 3) AS opening, number % 3 AS step, intDiv(holder, 50) AS from, intDiv(holder, 2) % 25 AS nth,
     sipHash64(holder, opening, {{day:UInt64}}) AS h, holder % 200 = 0 AND opening = 0 AND {{day:UInt64}} = {{days:UInt64}} AS lasting
SELECT if(lasting, toDateTime64({{minute:DateTime('UTC')}}, 9, 'UTC') - 500 + step,
          toDateTime64({{minute:DateTime('UTC')}}, 9, 'UTC') - 3700 - opening * 27000 - h % 20000 + [0, 30, 32][step + 1]) AS at,
       concat('svc-', leftPad(toString(from), 3, '0')), '{ENV}', concat('breaker-', toString(nth)),
       concat('svc-', leftPad(toString((from + 1 + nth * 7 + nth * nth) % {{services:UInt64}}), 3, '0')), concat('i-', toString(holder % 2)),
       ['closed', 'open', 'half_open'][step + 1], ['open', 'half_open', 'closed'][step + 1], '6 of 10 calls failed', if(step = 0, 0.6, NULL), if(step = 0, 10, NULL),
       if(step = 1, h % 20, NULL), false, '', at + 1, 'month', 'post', 60
FROM numbers({{services:UInt64}} * 50 * 9)
WHERE NOT lasting OR step = 0
"""
# Five bulkheads per service with three series each, a sample every 15 s of the last two hours; the series were there all month.
_BULKHEAD_SERIES = f"""
INSERT INTO metric_series (series_id, name, type, unit, temporality, service, env, labels, first_seen, last_seen)
WITH intDiv(number, 3) AS bulkhead
SELECT 7000000000 + number, ['bulkhead_in_use', 'bulkhead_limit', 'bulkhead_rejected_total'][number % 3 + 1], 'gauge', '', '',
       concat('svc-', leftPad(toString(intDiv(bulkhead, 5)), 3, '0')), '{ENV}', map('name', concat('pool-', toString(bulkhead % 5)), 'instance', 'i-0'),
       toDateTime64({{minute:DateTime('UTC')}}, 3, 'UTC') - 86400 * 29, toDateTime64({{minute:DateTime('UTC')}}, 3, 'UTC') + 59
FROM numbers({{services:UInt64}} * 15)
WHERE {{day:UInt64}} = {{days:UInt64}}
"""
_BULKHEAD_SAMPLES = """
INSERT INTO metric_samples (series_id, at, value, retention_days)
WITH number % ({services:UInt64} * 15) AS series, intDiv(number, {services:UInt64} * 15) AS nth
SELECT 7000000000 + series, toDateTime64({minute:DateTime('UTC')}, 3, 'UTC') + 50 - nth * 15, [sipHash64(number) % 18, 20, 1000 - nth][series % 3 + 1], 60
FROM numbers({services:UInt64} * 15 * 480)
WHERE {day:UInt64} = {days:UInt64}
"""
_BY_MINUTE = (_SERVICES, _EDGE_MINUTES, _LOG_MINUTES, _QUEUES, _ENTRIES)
_BY_DAY = (_ENDPOINTS, _CALLERS, _DATABASES, _DEPLOYS, _TRANSITIONS, _BULKHEAD_SERIES, _BULKHEAD_SAMPLES)
TABLES = ("service_minutes", "edge_minutes", "log_minutes", "endpoint_usage", "endpoint_callers", "database_usage", "deploys", "breaker_transitions", "metric_series", "metric_samples", "queue_minutes", "entry_minutes")  # fmt: skip
# The lengths of the queues: an hour of samples, one each 15 s.
_SERIES = f"""
INSERT INTO metric_series (series_id, name, type, unit, temporality, service, env, labels, first_seen, last_seen)
SELECT cityHash64('queue', number), ['rabbitmq_queue_messages_ready', 'rabbitmq_queue_messages_unacked', 'rabbitmq_queue_consumers'][number % 3 + 1], 'gauge', '', '',
       'rabbitmq', '{ENV}', map('queue', concat('queue-', toString(intDiv(number, 3))), 'vhost', '/'), {{minute:DateTime('UTC')}} - 3600, {{minute:DateTime('UTC')}} + 59
FROM numbers(120)
"""
_SAMPLES = """
INSERT INTO metric_samples (series_id, at, value, retention_days)
SELECT cityHash64('queue', number % 120), toDateTime64({minute:DateTime('UTC')} + 45 - intDiv(number, 120) * 15, 3, 'UTC'), sipHash64(number) % 1000, 60
FROM numbers(120 * 240)
"""
_ONCE = (_SERIES, _SAMPLES)


@dataclass(frozen=True, slots=True)
class Size:
    """
    How much of it.

    Attributes:
        dense: Newest days of which every minute has rows.
    """

    services: int = 200
    edges: int = 2000
    days: int = 30
    dense: int = 2


def fill(store: Store, size: Size, end_s: int) -> Iterator[str]:
    """Insert a month that ends at *end_s* (seconds since the epoch, a whole minute); yields a line per day."""
    for day in range(size.days):
        every = 1 if day < size.dense else THIN
        params = {
            "minute": sql_time((end_s - MINUTE_S - day * DAY_S) * SECOND_NS)[:19],
            "minutes": DAY_S // MINUTE_S // every,
            "every": every,
            "day": size.days - day,
            "days": size.days,
            "services": size.services,
            "edges": size.edges,
        }
        for statement in (*_BY_MINUTE, *_BY_DAY, *(() if day else _ONCE)):
            _insert(store, statement, params)
        yield f"day {day + 1} of {size.days}"


def top_up(store: Store, size: Size, start_s: int, end_s: int) -> None:
    """Add every minute from *start_s* until *end_s* (whole minutes), and samples of the last two hours, to rows that end at *start_s*."""
    params = {
        "minute": sql_time((end_s - MINUTE_S) * SECOND_NS)[:19],
        "minutes": (end_s - start_s) // MINUTE_S,
        "every": 1,
        "day": size.days,
        "days": size.days,
        "services": size.services,
        "edges": size.edges,
    }
    for statement in (*_BY_MINUTE, _BULKHEAD_SERIES, _BULKHEAD_SAMPLES):
        _insert(store, statement, params)


def _insert(store: Store, statement: str, params: Mapping[str, object]) -> None:
    """Insert under a name: rows that no name stands for in a table's log are taken for an insert that was never answered, and set aside at the next start."""
    name = hashlib.sha256(f"{statement}{sorted(params.items())}".encode()).hexdigest()
    settings = {
        "max_partitions_per_insert_block": 0,
        "insert_deduplicate": 1,
        "insert_deduplication_token": name,
    }
    store.command(statement, params, settings)


def settle(store: Store) -> None:
    """Merge what the last inserts left, day by day, as a running collector would have."""
    for table in TABLES:
        store.command(f"OPTIMIZE TABLE {table} FINAL")
