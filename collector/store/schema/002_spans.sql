-- Spans, the index from a trace id to where its spans lie, and the rollups that health, map and endpoints read.
CREATE TABLE IF NOT EXISTS spans
(
    start           DateTime64(9, 'UTC')                        CODEC(Delta(8), ZSTD(1)),
    duration_ns     UInt64                                      CODEC(ZSTD(1)),
    trace_id        String                                      CODEC(ZSTD(1)),
    span_id         String                                      CODEC(ZSTD(1)),
    parent_span_id  String                                      CODEC(ZSTD(1)),
    trace_state     String                                      CODEC(ZSTD(1)),
    service         LowCardinality(String),
    env             LowCardinality(String),
    name            LowCardinality(String),
    kind            LowCardinality(String),
    status          LowCardinality(String),
    status_message  String                                      CODEC(ZSTD(1)),
    attributes      Map(LowCardinality(String), String)         CODEC(ZSTD(1)),
    resource        Map(LowCardinality(String), String)         CODEC(ZSTD(1)),
    scope_name      LowCardinality(String),
    scope_version   LowCardinality(String),
    events          Array(Tuple(at DateTime64(9, 'UTC'), name String, attributes Map(String, String))) CODEC(ZSTD(1)),
    links           Array(Tuple(trace_id String, span_id String, trace_state String, attributes Map(String, String))) CODEC(ZSTD(1)),
    observed_at     DateTime64(9, 'UTC')                        CODEC(Delta(8), ZSTD(1)),
    batch_id        String                                      CODEC(ZSTD(1)),
    retention_days  UInt16                                      CODEC(ZSTD(1)),
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY (toDate(start), retention_days)
ORDER BY (service, env, toStartOfMinute(start), start)
TTL toDateTime(start) + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1,
         index_granularity = 4096, merge_selector_base = 16;

-- One row per trace after merging: its time range narrows every later look at `spans`.
CREATE TABLE IF NOT EXISTS trace_index
(
    trace_id        String,
    day             Date,
    retention_days  UInt16,
    start           SimpleAggregateFunction(min, DateTime64(9, 'UTC')),
    end             SimpleAggregateFunction(max, DateTime64(9, 'UTC')),
    spans           SimpleAggregateFunction(sum, UInt64),
    errors          SimpleAggregateFunction(sum, UInt64),
    services        SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    envs            SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    root_service    SimpleAggregateFunction(max, String),
    root_name       SimpleAggregateFunction(max, String),
    root_duration_ns SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY (day, retention_days)
ORDER BY (trace_id, day, retention_days)
TTL day + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS trace_index_mv TO trace_index AS
SELECT trace_id, toDate(spans.start) AS day, retention_days,
       min(spans.start) AS start, max(addNanoseconds(spans.start, duration_ns)) AS end,
       count() AS spans, countIf(status = 'error') AS errors,
       groupUniqArray(CAST(service, 'String')) AS services, groupUniqArray(CAST(env, 'String')) AS envs,
       maxIf(CAST(service, 'String'), parent_span_id = '') AS root_service,
       maxIf(CAST(name, 'String'), parent_span_id = '') AS root_name,
       maxIf(duration_ns, parent_span_id = '') AS root_duration_ns
FROM spans
WHERE trace_id != ''
GROUP BY trace_id, day, retention_days;

-- RED per service, kind, route and status class.
CREATE TABLE IF NOT EXISTS service_minutes
(
    minute          DateTime('UTC'),
    service         LowCardinality(String),
    env             LowCardinality(String),
    kind            LowCardinality(String),
    route           LowCardinality(String),
    status_class    LowCardinality(String),
    retention_days  UInt16,
    calls           SimpleAggregateFunction(sum, UInt64),
    errors          SimpleAggregateFunction(sum, UInt64),
    duration_ns_sum SimpleAggregateFunction(sum, UInt64),
    duration_ns     AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), Float64),
    last_at         SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY (toDate(minute), retention_days)
ORDER BY (env, service, kind, route, status_class, minute, retention_days)
TTL minute + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS service_minutes_mv TO service_minutes AS
SELECT toStartOfMinute(toDateTime(start)) AS minute, service, env, kind,
       if(attributes['http.route'] != '', attributes['http.route'], name) AS route,
       multiIf(attributes['http.response.status_code'] != '', concat(substring(attributes['http.response.status_code'], 1, 1), 'xx'),
               status = 'error', 'error', 'ok') AS status_class,
       retention_days,
       count() AS calls, countIf(status = 'error') AS errors, sum(spans.duration_ns) AS duration_ns_sum,
       quantilesTDigestState(0.5, 0.95, 0.99)(toFloat64(spans.duration_ns)) AS duration_ns, max(start) AS last_at
FROM spans
GROUP BY minute, service, env, kind, route, status_class, retention_days;

-- Caller -> callee as the caller's span names it: HTTP and RPC by peer.service or server.address,
-- queues by their destination (both directions), databases by their namespace.
CREATE TABLE IF NOT EXISTS edge_minutes
(
    minute          DateTime('UTC'),
    env             LowCardinality(String),
    caller          LowCardinality(String),
    callee          LowCardinality(String),
    protocol        LowCardinality(String),
    route           LowCardinality(String),
    retention_days  UInt16,
    calls           SimpleAggregateFunction(sum, UInt64),
    errors          SimpleAggregateFunction(sum, UInt64),
    duration_ns_sum SimpleAggregateFunction(sum, UInt64),
    duration_ns     AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), Float64),
    last_at         SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY (toDate(minute), retention_days)
ORDER BY (env, caller, callee, protocol, route, minute, retention_days)
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
               attributes['rpc.system'] != '', attributes['rpc.system'], 'http') AS protocol,
       if(attributes['http.route'] != '', attributes['http.route'], name) AS route, retention_days,
       count() AS calls, countIf(status = 'error') AS errors, sum(spans.duration_ns) AS duration_ns_sum,
       quantilesTDigestState(0.5, 0.95, 0.99)(toFloat64(spans.duration_ns)) AS duration_ns, max(start) AS last_at
FROM spans
WHERE kind IN ('client', 'producer', 'consumer') AND peer != ''
GROUP BY minute, env, caller, callee, protocol, route, retention_days;

-- Use of each endpoint: the evidence for deleting one, and so kept for longer than a year whatever the spans are kept.
-- A gRPC method is an endpoint too. sampled: calls whose tracestate says that others like them were not kept.
CREATE TABLE IF NOT EXISTS endpoint_usage
(
    hour            DateTime('UTC'),
    service         LowCardinality(String),
    env             LowCardinality(String),
    method          LowCardinality(String),
    route           LowCardinality(String),
    version         LowCardinality(String),
    retention_days  UInt16,
    calls           SimpleAggregateFunction(sum, UInt64),
    errors          SimpleAggregateFunction(sum, UInt64),
    sampled         SimpleAggregateFunction(sum, UInt64),
    last_at         SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY (toYYYYMM(hour), retention_days)
ORDER BY (env, service, method, route, version, hour, retention_days)
TTL hour + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS endpoint_usage_mv TO endpoint_usage AS
SELECT toStartOfHour(toDateTime(start)) AS hour, service, env,
       multiIf(attributes['http.request.method'] != '', attributes['http.request.method'],
               attributes['http.method'] != '', attributes['http.method'], attributes['rpc.method'] != '', 'RPC', '') AS method,
       multiIf(attributes['http.route'] != '', attributes['http.route'],
               attributes['rpc.method'] != '', concat(attributes['rpc.service'], '/', attributes['rpc.method']), '') AS route,
       resource['service.version'] AS version, greatest(spans.retention_days, toUInt16(400)) AS retention_days,
       count() AS calls, countIf(status = 'error') AS errors,
       countIf(trace_state != '' AND match(trace_state, '(?:^|,)ot=[^,]*th:0*[1-9a-f]')) AS sampled, max(start) AS last_at
FROM spans
WHERE kind = 'server' AND (attributes['http.route'] != '' OR attributes['rpc.method'] != '')
GROUP BY hour, service, env, method, route, version, retention_days;

CREATE TABLE IF NOT EXISTS deploys
(
    service         LowCardinality(String),
    env             LowCardinality(String),
    version         String,
    first_seen      SimpleAggregateFunction(min, DateTime64(9, 'UTC')),
    last_seen       SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (service, env, version)
SETTINGS non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS deploys_spans_mv TO deploys AS
SELECT service, env, resource['service.version'] AS version, min(start) AS first_seen, max(start) AS last_seen
FROM spans
WHERE resource['service.version'] != ''
GROUP BY service, env, version;

CREATE MATERIALIZED VIEW IF NOT EXISTS deploys_logs_mv TO deploys AS
SELECT service, env, resource['service.version'] AS version, min(occurred_at) AS first_seen, max(occurred_at) AS last_seen
FROM logs
WHERE resource['service.version'] != ''
GROUP BY service, env, version;
