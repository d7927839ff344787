-- Metrics the Prometheus way: a series is a name and a label set; a sample is a value of it at a time.
-- series_id is a hash of everything that identifies the series, computed in the mapping, so that two
-- segments agree on it without asking anyone.
CREATE TABLE IF NOT EXISTS metric_series
(
    series_id       UInt64,
    name            LowCardinality(String),
    type            LowCardinality(String),
    unit            LowCardinality(String),
    temporality     LowCardinality(String),
    service         LowCardinality(String),
    env             LowCardinality(String),
    labels          Map(LowCardinality(String), String),
    help            SimpleAggregateFunction(max, String),
    original_name   SimpleAggregateFunction(max, String),
    first_seen      SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_seen       SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = AggregatingMergeTree
PRIMARY KEY (name, service, series_id)
ORDER BY (name, service, series_id, type, unit, temporality, env, labels)
SETTINGS non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS metric_samples
(
    series_id       UInt64                                      CODEC(ZSTD(1)),
    at              DateTime64(3, 'UTC')                        CODEC(DoubleDelta, ZSTD(1)),
    value           Float64                                     CODEC(Gorilla, ZSTD(1)),
    retention_days  UInt16                                      CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (toDate(at), retention_days)
ORDER BY (series_id, at)
TTL toDateTime(at) + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS exemplars
(
    series_id       UInt64,
    at              DateTime64(3, 'UTC'),
    value           Float64,
    trace_id        String,
    span_id         String,
    labels          Map(LowCardinality(String), String),
    retention_days  UInt16
)
ENGINE = MergeTree
PARTITION BY (toDate(at), retention_days)
ORDER BY (series_id, at)
TTL toDateTime(at) + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;
