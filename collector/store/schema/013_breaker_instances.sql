-- Breakers at a scale of millions of transitions: read by time, read by what arrived, and known without reading any.

-- The table is sorted by breaker; what happened in an hour lies in every part of it. Transitions are few and wide questions many: both orders are kept.
ALTER TABLE breaker_transitions ADD PROJECTION IF NOT EXISTS by_time (SELECT * ORDER BY at);

-- Which insert a row came by, merges or not: who keeps the present states reads what is new, and nothing else (collector/read/present.py).
ALTER TABLE breaker_transitions MODIFY SETTING enable_block_number_column = 1;

-- Every breaker in every instance, and when it was first and last told of.
CREATE TABLE IF NOT EXISTS breaker_instances
(
    env             LowCardinality(String),
    service         LowCardinality(String),
    breaker         LowCardinality(String),
    instance        LowCardinality(String),
    first_at        SimpleAggregateFunction(min, DateTime64(9, 'UTC')),
    last_at         SimpleAggregateFunction(max, DateTime64(9, 'UTC')),
    retention_days  SimpleAggregateFunction(max, UInt16)
)
ENGINE = AggregatingMergeTree
ORDER BY (env, service, breaker, instance)
TTL toDateTime(last_at) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS breaker_instances_mv TO breaker_instances AS
SELECT env, service, breaker, instance, min(at) AS first_at, max(at) AS last_at, max(retention_days) AS retention_days
FROM breaker_transitions
GROUP BY env, service, breaker, instance;
