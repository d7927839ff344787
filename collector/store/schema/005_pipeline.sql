-- What Fuseboard knows of its own pipeline: the ledger's two sides, and what was set aside.
-- One row per stored batch, written last: its presence says that every table of the batch is complete.
CREATE TABLE IF NOT EXISTS batches
(
    received_at     DateTime64(9, 'UTC'),
    batch_id        String,
    format          LowCardinality(String),
    signal          LowCardinality(String),
    agent           String,
    service         LowCardinality(String),
    env             LowCardinality(String),
    source_path     String,
    source_kind     LowCardinality(String),
    generation      String,
    source_start    UInt64,
    source_end      UInt64,
    bytes           UInt64,
    records         UInt64,
    quarantined     Bool,
    segment         String,
    key_id          LowCardinality(String),
    retention_days  UInt16
)
ENGINE = MergeTree
PARTITION BY (toDate(received_at), retention_days)
ORDER BY (agent, service, signal, received_at)
TTL toDateTime(received_at) + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

-- Rows per batch as ClickHouse counted them, whatever service the records named themselves.
CREATE TABLE IF NOT EXISTS batch_rows
(
    day             Date,
    batch_id        String,
    target          LowCardinality(String),
    retention_days  UInt16,
    rows            SimpleAggregateFunction(sum, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY (day, retention_days)
ORDER BY (batch_id, target, day, retention_days)
TTL day + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS batch_rows_logs_mv TO batch_rows AS
SELECT toDate(observed_at) AS day, batch_id, 'logs' AS target, retention_days, count() AS rows
FROM logs GROUP BY day, batch_id, retention_days;

CREATE MATERIALIZED VIEW IF NOT EXISTS batch_rows_spans_mv TO batch_rows AS
SELECT toDate(observed_at) AS day, batch_id, 'spans' AS target, retention_days, count() AS rows
FROM spans GROUP BY day, batch_id, retention_days;

CREATE TABLE IF NOT EXISTS agent_reports
(
    at              DateTime64(9, 'UTC'),
    observed_at     DateTime64(9, 'UTC'),
    agent           String,
    name            String,
    version         LowCardinality(String),
    host            LowCardinality(String),
    sequence        UInt64,
    started_at      DateTime64(9, 'UTC'),
    spool_blocks    UInt64,
    spool_bytes     UInt64,
    oldest_age_s    Float64,
    lag_bytes       UInt64,
    counters        String                                      CODEC(ZSTD(1)),
    batch_id        String,
    retention_days  UInt16
)
ENGINE = MergeTree
PARTITION BY (toDate(at), retention_days)
ORDER BY (agent, at)
TTL toDateTime(at) + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS quarantine
(
    at              DateTime64(9, 'UTC'),
    batch_id        String,
    format          LowCardinality(String),
    target          LowCardinality(String),
    reason          String,
    segment         String,
    bytes           UInt64,
    retention_days  UInt16
)
ENGINE = MergeTree
PARTITION BY (toYYYYMM(at), retention_days)
ORDER BY (at, batch_id)
TTL toDateTime(at) + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;
