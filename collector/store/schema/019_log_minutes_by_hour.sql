-- The rollup of log records begins anew, in another order: by hour first, as those of spans (012_weights.sql), so that a question about the last minutes of all
-- services reads an hour and not its day. Its granules are small: a question about one service and many days reads one of each hour.
DROP VIEW IF EXISTS log_minutes_mv;

DROP TABLE IF EXISTS log_minutes;

CREATE TABLE IF NOT EXISTS log_minutes
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
ENGINE = AggregatingMergeTree
PARTITION BY (toDate(minute), retention_days)
PRIMARY KEY (toStartOfHour(minute), env, service)
ORDER BY (toStartOfHour(minute), env, service, severity, minute, retention_days)
TTL minute + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 1024;

CREATE MATERIALIZED VIEW IF NOT EXISTS log_minutes_mv TO log_minutes AS
SELECT toStartOfMinute(toDateTime(occurred_at)) AS minute, service, env, severity, retention_days,
       count() AS records, sum(length(body)) AS bytes, max(occurred_at) AS last_at
FROM logs
GROUP BY minute, service, env, severity, retention_days;
