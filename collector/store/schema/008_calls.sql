-- Both sides of a call, paired: a server's or consumer's span and the client's or producer's span that is its parent.
-- A materialised view sees one side only; these tables are filled by the job `calls` (collector/jobs/calls.py),
-- window by window, each window once.

-- Who called which endpoint, in which version: the evidence for deleting one. caller = '': its span never came.
-- Kept as long as endpoint_usage.
CREATE TABLE IF NOT EXISTS endpoint_callers
(
    hour            DateTime('UTC'),
    env             LowCardinality(String),
    service         LowCardinality(String),
    method          LowCardinality(String),
    route           LowCardinality(String),
    version         LowCardinality(String),
    caller          LowCardinality(String),
    caller_version  LowCardinality(String),
    retention_days  UInt16,
    calls           SimpleAggregateFunction(sum, UInt64),
    errors          SimpleAggregateFunction(sum, UInt64),
    last_at         SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY (toYYYYMM(hour), retention_days)
ORDER BY (env, service, method, route, version, caller, caller_version, hour, retention_days)
TTL hour + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

-- What a caller calls its callee: "10.0.3.7", "payment.prod.svc:8080" and so on are the service whose span answered.
CREATE TABLE IF NOT EXISTS peer_names
(
    env             LowCardinality(String),
    caller          LowCardinality(String),
    peer            LowCardinality(String),
    callee          LowCardinality(String),
    day             Date,
    retention_days  UInt16,
    calls           SimpleAggregateFunction(sum, UInt64),
    last_at         SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY (toYYYYMM(day), retention_days)
ORDER BY (env, caller, peer, callee, day, retention_days)
TTL day + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

-- Calls whose caller does not say whom it calls: `edge_minutes` cannot know them, the pair does.
CREATE TABLE IF NOT EXISTS paired_minutes
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

-- Who uses which database, and which of its tables: what two services share neither can change alone.
CREATE TABLE IF NOT EXISTS database_usage
(
    hour            DateTime('UTC'),
    env             LowCardinality(String),
    system          LowCardinality(String),
    namespace       LowCardinality(String),
    server          LowCardinality(String),
    collection      LowCardinality(String),
    operation       LowCardinality(String),
    service         LowCardinality(String),
    retention_days  UInt16,
    calls           SimpleAggregateFunction(sum, UInt64),
    errors          SimpleAggregateFunction(sum, UInt64),
    duration_ns_sum SimpleAggregateFunction(sum, UInt64),
    last_at         SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY (toYYYYMM(hour), retention_days)
ORDER BY (env, system, namespace, server, collection, operation, service, hour, retention_days)
TTL hour + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

-- The table is the attribute's, else the first one the statement names; the operation likewise, else the statement's first word.
CREATE MATERIALIZED VIEW IF NOT EXISTS database_usage_mv TO database_usage AS
WITH coalesce(nullIf(attributes['db.query.text'], ''), attributes['db.statement']) AS statement,
     coalesce(nullIf(attributes['db.operation.name'], ''), attributes['db.operation']) AS named,
     coalesce(nullIf(attributes['db.collection.name'], ''), nullIf(attributes['db.sql.table'], ''), attributes['db.mongodb.collection']) AS told
SELECT toStartOfHour(toDateTime(start)) AS hour, env,
       lower(coalesce(nullIf(attributes['db.system.name'], ''), attributes['db.system'])) AS system,
       coalesce(nullIf(attributes['db.namespace'], ''), attributes['db.name']) AS namespace,
       concat(attributes['server.address'], if(attributes['server.port'] != '', concat(':', attributes['server.port']), '')) AS server,
       if(told != '', told, replaceRegexpAll(extract(substring(statement, 1, 2000), '(?i)\\b(?:from|into|update|join|table)\\s+([\\w."`\\[\\]]+)'), '["`\\[\\]]', '')) AS collection,
       upper(if(named != '', named, extract(substring(statement, 1, 100), '^\\s*(\\w+)'))) AS operation,
       service, spans.retention_days AS retention_days,
       count() AS calls, countIf(status = 'error') AS errors, sum(spans.duration_ns) AS duration_ns_sum, max(start) AS last_at
FROM spans
WHERE kind IN ('client', 'internal') AND (attributes['db.system.name'] != '' OR attributes['db.system'] != '')
GROUP BY hour, env, system, namespace, server, collection, operation, service, retention_days;
