-- How many calls a span stands for where traces were sampled, and rollups by minute that a question about an hour reads an hour of.
--
-- weight: 1 over the probability with which its trace was kept. Told by tracestate: `ot=th:<threshold>` (OpenTelemetry consistent sampling,
-- of 2^56, trailing zeros left out) or `ot=p:<n>` (2^-n); else by the attributes sampling.probability or SampleRate. Nothing told: 1. At most a million.
-- Source: https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/, …/tracestate-probability-sampling/.
ALTER TABLE spans ADD COLUMN IF NOT EXISTS weight Float64
DEFAULT if(trace_state = '' AND NOT hasAny(mapKeys(attributes), ['sampling.probability', 'SampleRate', 'sampleRate']), 1., least(1e6, greatest(1., multiIf(
    match(trace_state, '(?:^|,)[ \t]*ot=(?:[^,]*;)?th:[0-9a-f]{1,14}(?:[;, \t]|$)'),
    72057594037927936. / (72057594037927936. - toFloat64(reinterpretAsUInt64(reverse(unhex(rightPad(extract(trace_state, '(?:^|,)[ \t]*ot=(?:[^,]*;)?th:([0-9a-f]{1,14})'), 14, '0')))))),
    match(trace_state, '(?:^|,)[ \t]*ot=(?:[^,]*;)?p:[0-9]{1,2}(?:[;, \t]|$)') AND toUInt8OrZero(extract(trace_state, '(?:^|,)[ \t]*ot=(?:[^,]*;)?p:([0-9]{1,2})')) < 63,
    exp2(toUInt8OrZero(extract(trace_state, '(?:^|,)[ \t]*ot=(?:[^,]*;)?p:([0-9]{1,2})'))),
    toFloat64OrZero(attributes['sampling.probability']) > 0 AND toFloat64OrZero(attributes['sampling.probability']) <= 1, 1. / toFloat64OrZero(attributes['sampling.probability']),
    toFloat64OrZero(attributes['SampleRate']) > 1, toFloat64OrZero(attributes['SampleRate']),
    toFloat64OrZero(attributes['sampleRate']) > 1, toFloat64OrZero(attributes['sampleRate']),
    1.))))
CODEC(ZSTD(1)) AFTER trace_state;

-- The two rollups by minute begin anew, in another order: by hour first, so that an hour's questions read an hour and not its day; the
-- versions of a service apart, so that two that serve at once can be compared; the kind of the span that told of an edge.
-- calls and errors count spans, weighted_calls and weighted_errors what they stand for. Durations are those of the spans.
DROP VIEW IF EXISTS service_minutes_mv;

DROP TABLE IF EXISTS service_minutes;

CREATE TABLE IF NOT EXISTS service_minutes
(
    minute          DateTime('UTC'),
    service         LowCardinality(String),
    env             LowCardinality(String),
    kind            LowCardinality(String),
    route           LowCardinality(String),
    status_class    LowCardinality(String),
    version         LowCardinality(String),
    retention_days  UInt16,
    calls           SimpleAggregateFunction(sum, UInt64),
    errors          SimpleAggregateFunction(sum, UInt64),
    weighted_calls  SimpleAggregateFunction(sum, Float64) DEFAULT toFloat64(calls),
    weighted_errors SimpleAggregateFunction(sum, Float64) DEFAULT toFloat64(errors),
    duration_ns_sum SimpleAggregateFunction(sum, UInt64),
    duration_ns     AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), Float64),
    last_at         SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY (toDate(minute), retention_days)
PRIMARY KEY (toStartOfHour(minute), env, service, kind)
ORDER BY (toStartOfHour(minute), env, service, kind, route, status_class, version, minute, retention_days)
TTL minute + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS service_minutes_mv TO service_minutes AS
SELECT toStartOfMinute(toDateTime(start)) AS minute, service, env, kind,
       if(attributes['http.route'] != '', attributes['http.route'], name) AS route,
       multiIf(attributes['http.response.status_code'] != '', concat(substring(attributes['http.response.status_code'], 1, 1), 'xx'),
               status = 'error', 'error', 'ok') AS status_class,
       resource['service.version'] AS version, retention_days,
       count() AS calls, countIf(status = 'error') AS errors, sum(weight) AS weighted_calls, sumIf(weight, status = 'error') AS weighted_errors,
       sum(spans.duration_ns) AS duration_ns_sum,
       quantilesTDigestState(0.5, 0.95, 0.99)(toFloat64(spans.duration_ns)) AS duration_ns, max(start) AS last_at
FROM spans
GROUP BY minute, service, env, kind, route, status_class, version, retention_days;

DROP VIEW IF EXISTS edge_minutes_mv;

DROP TABLE IF EXISTS edge_minutes;

CREATE TABLE IF NOT EXISTS edge_minutes
(
    minute          DateTime('UTC'),
    env             LowCardinality(String),
    caller          LowCardinality(String),
    callee          LowCardinality(String),
    protocol        LowCardinality(String),
    kind            LowCardinality(String),
    route           LowCardinality(String),
    retention_days  UInt16,
    calls           SimpleAggregateFunction(sum, UInt64),
    errors          SimpleAggregateFunction(sum, UInt64),
    weighted_calls  SimpleAggregateFunction(sum, Float64) DEFAULT toFloat64(calls),
    weighted_errors SimpleAggregateFunction(sum, Float64) DEFAULT toFloat64(errors),
    duration_ns_sum SimpleAggregateFunction(sum, UInt64),
    duration_ns     AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), Float64),
    last_at         SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY (toDate(minute), retention_days)
PRIMARY KEY (toStartOfHour(minute), env, caller, callee)
ORDER BY (toStartOfHour(minute), env, caller, callee, protocol, kind, route, minute, retention_days)
TTL minute + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS edge_minutes_mv TO edge_minutes AS
WITH coalesce(nullIf(attributes['db.system.name'], ''), attributes['db.system']) AS db_system,
     coalesce(nullIf(attributes['messaging.destination.name'], ''), attributes['messaging.system']) AS destination,
     multiIf(db_system != '', coalesce(nullIf(attributes['db.namespace'], ''), nullIf(attributes['db.name'], ''), db_system),
             kind IN ('producer', 'consumer'), destination,
             coalesce(nullIf(attributes['peer.service'], ''), nullIf(attributes['service.peer.name'], ''), attributes['server.address'])) AS peer
SELECT toStartOfMinute(toDateTime(start)) AS minute, env,
       if(kind = 'consumer', peer, CAST(service, 'String')) AS caller,
       if(kind = 'consumer', CAST(service, 'String'), peer) AS callee,
       multiIf(db_system != '', db_system, kind IN ('producer', 'consumer'), coalesce(nullIf(attributes['messaging.system'], ''), 'messaging'),
               attributes['rpc.system'] != '', attributes['rpc.system'], 'http') AS protocol, kind,
       if(attributes['http.route'] != '', attributes['http.route'], name) AS route, retention_days,
       count() AS calls, countIf(status = 'error') AS errors, sum(weight) AS weighted_calls, sumIf(weight, status = 'error') AS weighted_errors,
       sum(spans.duration_ns) AS duration_ns_sum,
       quantilesTDigestState(0.5, 0.95, 0.99)(toFloat64(spans.duration_ns)) AS duration_ns, max(start) AS last_at
FROM spans
WHERE kind IN ('client', 'producer', 'consumer') AND peer != ''
GROUP BY minute, env, caller, callee, protocol, kind, route, retention_days;

ALTER TABLE paired_minutes ADD COLUMN IF NOT EXISTS weighted_calls SimpleAggregateFunction(sum, Float64) DEFAULT toFloat64(calls) AFTER errors;

ALTER TABLE paired_minutes ADD COLUMN IF NOT EXISTS weighted_errors SimpleAggregateFunction(sum, Float64) DEFAULT toFloat64(errors) AFTER weighted_calls;

-- Evidence of a year: it stays. sampled counts calls that stand for others, too.
ALTER TABLE endpoint_usage ADD COLUMN IF NOT EXISTS weighted_calls SimpleAggregateFunction(sum, Float64) DEFAULT toFloat64(calls) AFTER errors;

ALTER TABLE endpoint_usage_mv MODIFY QUERY
SELECT toStartOfHour(toDateTime(start)) AS hour, service, env,
       multiIf(attributes['http.request.method'] != '', attributes['http.request.method'],
               attributes['http.method'] != '', attributes['http.method'], attributes['rpc.method'] != '', 'RPC', '') AS method,
       multiIf(attributes['http.route'] != '', attributes['http.route'],
               attributes['rpc.method'] != '', concat(attributes['rpc.service'], '/', attributes['rpc.method']), '') AS route,
       resource['service.version'] AS version, greatest(spans.retention_days, toUInt16(400)) AS retention_days,
       count() AS calls, countIf(status = 'error') AS errors, sum(weight) AS weighted_calls,
       countIf(weight > 1) AS sampled, max(start) AS last_at
FROM spans
WHERE kind = 'server' AND (attributes['http.route'] != '' OR attributes['rpc.method'] != '')
GROUP BY hour, service, env, method, route, version, retention_days;
