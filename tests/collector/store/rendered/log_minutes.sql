CREATE TABLE IF NOT EXISTS log_minutes_local ON CLUSTER 'dc-1'
(
    minute          DateTime('UTC'),
    service         LowCardinality(String),
    env             LowCardinality(String),
    severity        LowCardinality(String),
    retention_days  UInt16,
    records         SimpleAggregateFunction(sum, UInt64),
    bytes           SimpleAggregateFunction(sum, UInt64),
    last_at         SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY (toDate(minute), retention_days)
ORDER BY (env, service, severity, minute, retention_days)
TTL minute + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS log_minutes ON CLUSTER 'dc-1' AS log_minutes_local
ENGINE = Distributed('dc-1', 'fuse', 'log_minutes_local');

CREATE MATERIALIZED VIEW IF NOT EXISTS log_minutes_mv ON CLUSTER 'dc-1' TO log_minutes_local AS
SELECT toStartOfMinute(toDateTime(occurred_at)) AS minute, service, env, severity, retention_days,
       count() AS records, sum(length(body)) AS bytes, max(occurred_at) AS last_at
FROM logs_local AS logs
GROUP BY minute, service, env, severity, retention_days;

DROP VIEW IF EXISTS log_minutes_mv ON CLUSTER 'dc-1' SYNC;

DROP TABLE IF EXISTS log_minutes_local ON CLUSTER 'dc-1' SYNC;

DROP TABLE IF EXISTS log_minutes ON CLUSTER 'dc-1' SYNC;

CREATE TABLE IF NOT EXISTS log_minutes_local ON CLUSTER 'dc-1'
(
    minute          DateTime('UTC'),
    service         LowCardinality(String),
    env             LowCardinality(String),
    severity        LowCardinality(String),
    retention_days  UInt16,
    records         SimpleAggregateFunction(sum, UInt64),
    bytes           SimpleAggregateFunction(sum, UInt64),
    last_at         SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY (toDate(minute), retention_days)
PRIMARY KEY (toStartOfHour(minute), env, service)
ORDER BY (toStartOfHour(minute), env, service, severity, minute, retention_days)
TTL minute + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 1024;

CREATE TABLE IF NOT EXISTS log_minutes ON CLUSTER 'dc-1' AS log_minutes_local
ENGINE = Distributed('dc-1', 'fuse', 'log_minutes_local');

CREATE MATERIALIZED VIEW IF NOT EXISTS log_minutes_mv ON CLUSTER 'dc-1' TO log_minutes_local AS
SELECT toStartOfMinute(toDateTime(occurred_at)) AS minute, service, env, severity, retention_days,
       count() AS records, sum(length(body)) AS bytes, max(occurred_at) AS last_at
FROM logs_local AS logs
GROUP BY minute, service, env, severity, retention_days;

