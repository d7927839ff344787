-- How each breaker behaves, hour by hour: what hints about its configuration rest on. Ways overlap (a log line, a post, samples), so they are apart.
CREATE TABLE IF NOT EXISTS breaker_hours
(
    hour            DateTime('UTC'),
    env             LowCardinality(String),
    service         LowCardinality(String),
    breaker         LowCardinality(String),
    source          LowCardinality(String),
    retention_days  UInt16,
    opens           SimpleAggregateFunction(sum, UInt64),
    half_opens      SimpleAggregateFunction(sum, UInt64),
    reopens         SimpleAggregateFunction(sum, UInt64),
    closes          SimpleAggregateFunction(sum, UInt64),
    counted_opens   SimpleAggregateFunction(sum, UInt64),
    small_opens     SimpleAggregateFunction(sum, UInt64),
    full_opens      SimpleAggregateFunction(sum, UInt64),
    least_ratio     SimpleAggregateFunction(min, Float64)
)
ENGINE = AggregatingMergeTree
PARTITION BY (toYYYYMM(hour), retention_days)
ORDER BY (env, service, breaker, source, hour, retention_days)
TTL hour + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

-- reopens: a trial call failed. closes: it succeeded. Of openings that say on how many calls they rest (counted): small = fewer than five,
-- full = every one of five or more failed. least_ratio: the lowest failure rate that opened it; 2 = none was told.
CREATE MATERIALIZED VIEW IF NOT EXISTS breaker_hours_mv TO breaker_hours AS
SELECT toStartOfHour(toDateTime(at)) AS hour, env, service, breaker, source, retention_days,
       countIf(to_state = 'open' AND from_state NOT IN ('open', 'half_open')) AS opens,
       countIf(to_state = 'half_open') AS half_opens,
       countIf(to_state = 'open' AND from_state = 'half_open') AS reopens,
       countIf(to_state = 'closed' AND from_state = 'half_open') AS closes,
       countIf(to_state = 'open' AND from_state NOT IN ('open', 'half_open') AND calls > 0) AS counted_opens,
       countIf(to_state = 'open' AND from_state NOT IN ('open', 'half_open') AND calls > 0 AND calls < 5) AS small_opens,
       countIf(to_state = 'open' AND from_state NOT IN ('open', 'half_open') AND calls >= 5 AND failure_rate >= 0.999) AS full_opens,
       min(if(to_state = 'open' AND from_state NOT IN ('open', 'half_open') AND failure_rate > 0, ifNull(failure_rate, 2.), 2.)) AS least_ratio
FROM breaker_transitions
GROUP BY hour, env, service, breaker, source, retention_days;
