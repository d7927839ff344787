-- Log records, one row each, and what is counted from them.
-- occurred_at is the record's own time; observed_at is when the collector received it. Order, codecs, indexes and settings: docs/adr/0032.
CREATE TABLE IF NOT EXISTS logs
(
    occurred_at     DateTime64(9, 'UTC')                        CODEC(Delta(8), ZSTD(1)),
    observed_at     DateTime64(9, 'UTC')                        CODEC(Delta(8), ZSTD(1)),
    service         LowCardinality(String),
    env             LowCardinality(String),
    severity        LowCardinality(String),
    severity_number UInt8,
    body            String                                      CODEC(ZSTD(1)),
    trace_id        String                                      CODEC(ZSTD(1)),
    span_id         String                                      CODEC(ZSTD(1)),
    attributes      Map(LowCardinality(String), String)         CODEC(ZSTD(1)),
    resource        Map(LowCardinality(String), String)         CODEC(ZSTD(1)),
    batch_id        String                                      CODEC(ZSTD(1)),
    line            UInt32                                      CODEC(Delta(4), ZSTD(1)),
    retention_days  UInt16                                      CODEC(ZSTD(1)),
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX body_tokens    lower(body) TYPE tokenbf_v1(4096, 2, 0) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY (toDate(occurred_at), retention_days)
ORDER BY (service, env, toStartOfMinute(occurred_at), occurred_at)
TTL toDateTime(occurred_at) + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1,
         index_granularity = 4096, merge_selector_base = 16;

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
ORDER BY (env, service, severity, minute, retention_days)
TTL minute + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS log_minutes_mv TO log_minutes AS
SELECT toStartOfMinute(toDateTime(occurred_at)) AS minute, service, env, severity, retention_days,
       count() AS records, sum(length(body)) AS bytes, max(occurred_at) AS last_at
FROM logs
GROUP BY minute, service, env, severity, retention_days;
