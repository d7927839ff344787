-- Circuit-breaker transitions, however they arrived: posted, as a log line, as a span event.
CREATE TABLE IF NOT EXISTS breaker_transitions
(
    at              DateTime64(9, 'UTC')                        CODEC(Delta(8), ZSTD(1)),
    service         LowCardinality(String),
    env             LowCardinality(String),
    breaker         LowCardinality(String),
    target          LowCardinality(String),
    instance        LowCardinality(String),
    from_state      LowCardinality(String),
    to_state        LowCardinality(String),
    reason          String                                      CODEC(ZSTD(1)),
    failure_rate    Nullable(Float64),
    slow_call_rate  Nullable(Float64),
    calls           Nullable(UInt64),
    not_permitted   Nullable(UInt64),
    derived         Bool,
    trace_id        String                                      CODEC(ZSTD(1)),
    span_id         String                                      CODEC(ZSTD(1)),
    observed_at     DateTime64(9, 'UTC'),
    batch_id        String                                      CODEC(ZSTD(1)),
    source          LowCardinality(String),
    retention_days  UInt16
)
ENGINE = MergeTree
PARTITION BY (toYYYYMM(at), retention_days)
ORDER BY (env, service, breaker, instance, at)
TTL toDateTime(at) + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

-- A structured log line whose event, event.name or body is circuit_breaker.transition.
CREATE MATERIALIZED VIEW IF NOT EXISTS breaker_transitions_logs_mv TO breaker_transitions AS
WITH replaceAll(lower(attributes['to']), '-', '_') AS to_lower, replaceAll(lower(attributes['from']), '-', '_') AS from_lower,
     attributes['at'] AS at_text, toFloat64OrNull(at_text) AS at_epoch
SELECT multiIf(at_text = '', occurred_at,
               at_epoch IS NOT NULL, fromUnixTimestamp64Nano(toInt64(multiIf(at_epoch < 1e11, at_epoch * 1e9, at_epoch < 1e14, at_epoch * 1e6,
                                                                             at_epoch < 1e17, at_epoch * 1e3, at_epoch)), 'UTC'),
               coalesce(parseDateTime64BestEffortOrNull(at_text, 9, 'UTC'), occurred_at)) AS at,
       service, env, attributes['breaker'] AS breaker,
       attributes['target'] AS target,
       coalesce(nullIf(attributes['instance'], ''), nullIf(resource['service.instance.id'], ''), resource['host.name']) AS instance,
       from_lower AS from_state, to_lower AS to_state, attributes['reason'] AS reason,
       toFloat64OrNull(attributes['failure_rate']) AS failure_rate, toFloat64OrNull(attributes['slow_call_rate']) AS slow_call_rate,
       toUInt64OrNull(attributes['calls']) AS calls, toUInt64OrNull(attributes['not_permitted']) AS not_permitted,
       false AS derived, trace_id, span_id, observed_at, batch_id, 'log' AS source, retention_days
FROM logs
WHERE (body = 'circuit_breaker.transition' OR attributes['event'] = 'circuit_breaker.transition'
       OR attributes['event.name'] = 'circuit_breaker.transition')
  AND breaker != '' AND to_lower IN ('closed', 'open', 'half_open', 'forced_open', 'disabled', 'metrics_only');

-- A span event of the same name.
CREATE MATERIALIZED VIEW IF NOT EXISTS breaker_transitions_spans_mv TO breaker_transitions AS
WITH event.attributes AS fields,
     replaceAll(lower(fields['to']), '-', '_') AS to_lower
SELECT event.at AS at, service, env, fields['breaker'] AS breaker, fields['target'] AS target,
       coalesce(nullIf(fields['instance'], ''), nullIf(resource['service.instance.id'], ''), resource['host.name']) AS instance,
       replaceAll(lower(fields['from']), '-', '_') AS from_state, to_lower AS to_state, fields['reason'] AS reason,
       toFloat64OrNull(fields['failure_rate']) AS failure_rate, toFloat64OrNull(fields['slow_call_rate']) AS slow_call_rate,
       toUInt64OrNull(fields['calls']) AS calls, toUInt64OrNull(fields['not_permitted']) AS not_permitted,
       false AS derived, trace_id, span_id, observed_at, batch_id, 'span' AS source, retention_days
FROM spans
ARRAY JOIN events AS event
WHERE event.name = 'circuit_breaker.transition'
  AND breaker != '' AND to_lower IN ('closed', 'open', 'half_open', 'forced_open', 'disabled', 'metrics_only');
