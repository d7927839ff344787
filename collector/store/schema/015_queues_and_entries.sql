-- Messages: who sends to which queue and who takes from it, as spans of producers and consumers tell. Spans of a client that sends or receives
-- (batches, polls) count where nothing finer tells of the same: `kind` says which they are, the reader chooses.
CREATE TABLE IF NOT EXISTS queue_minutes
(
    minute          DateTime('UTC'),
    env             LowCardinality(String),
    system          LowCardinality(String),
    queue           LowCardinality(String),
    role            LowCardinality(String),
    service         LowCardinality(String),
    consumer_group  LowCardinality(String),
    kind            LowCardinality(String),
    operation       LowCardinality(String),
    retention_days  UInt16,
    calls           SimpleAggregateFunction(sum, UInt64),
    errors          SimpleAggregateFunction(sum, UInt64),
    messages        SimpleAggregateFunction(sum, Float64),
    duration_ns_sum SimpleAggregateFunction(sum, UInt64),
    last_at         SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY (toDate(minute), retention_days)
PRIMARY KEY (toStartOfHour(minute), env, system, queue)
ORDER BY (toStartOfHour(minute), env, system, queue, role, service, consumer_group, kind, operation, minute, retention_days)
TTL minute + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

-- messages: of a batch as many as it says (at most a million), each weighing what its span does.
CREATE MATERIALIZED VIEW IF NOT EXISTS queue_minutes_mv TO queue_minutes AS
WITH lower(coalesce(nullIf(attributes['messaging.operation.type'], ''), nullIf(attributes['messaging.operation'], ''), attributes['messaging.operation.name'])) AS told,
     coalesce(nullIf(attributes['messaging.destination.template'], ''), if(attributes['messaging.destination.anonymous'] = 'true', '(anonymous)', ''),
              if(attributes['messaging.destination.temporary'] = 'true', '(temporary)', '')) AS shared
SELECT toStartOfMinute(toDateTime(start)) AS minute, env,
       lower(coalesce(nullIf(attributes['messaging.system'], ''), 'messaging')) AS system,
       coalesce(nullIf(shared, ''), nullIf(attributes['messaging.destination.name'], ''), attributes['messaging.destination']) AS queue,
       multiIf(kind = 'producer' OR told IN ('send', 'publish', 'create'), 'producer',
               kind = 'consumer' OR told IN ('receive', 'process', 'deliver', 'poll', 'consume'), 'consumer', '') AS role,
       service, coalesce(nullIf(attributes['messaging.consumer.group.name'], ''), attributes['messaging.kafka.consumer.group']) AS consumer_group,
       kind, told AS operation, retention_days,
       count() AS calls, countIf(status = 'error') AS errors,
       sum(weight * greatest(1., least(1e6, toFloat64(toUInt32OrZero(attributes['messaging.batch.message_count']))))) AS messages,
       sum(spans.duration_ns) AS duration_ns_sum, max(start) AS last_at
FROM spans
WHERE (kind IN ('producer', 'consumer') OR kind = 'client' AND attributes['messaging.system'] != '') AND queue != '' AND role != ''
GROUP BY minute, env, system, queue, role, service, consumer_group, kind, operation, retention_days;

-- Both ends of a message: a consumer's span and the producer's that it links to or is a child of, paired by the job `messages`
-- (collector/jobs/messages.py). sent_to and received_from differ where an exchange routes. waited_ns: from the sending's end to the taking's start.
CREATE TABLE IF NOT EXISTS message_minutes
(
    minute          DateTime('UTC'),
    env             LowCardinality(String),
    system          LowCardinality(String),
    producer        LowCardinality(String),
    sent_to         LowCardinality(String),
    received_from   LowCardinality(String),
    consumer        LowCardinality(String),
    retention_days  UInt16,
    calls           SimpleAggregateFunction(sum, UInt64),
    waited_ns       AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), Float64),
    last_at         SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY (toDate(minute), retention_days)
PRIMARY KEY (toStartOfHour(minute), env, system, received_from)
ORDER BY (toStartOfHour(minute), env, system, received_from, producer, sent_to, consumer, minute, retention_days)
TTL minute + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

-- Calls from outside: spans of servers whose caller's span is not inside, by client and route; filled by the job `entries` (collector/jobs/entries.py).
-- by: what tells clients apart (client, user, agent, address); '' = all calls, each once. Of each service and minute the busiest clients, the others together.
CREATE TABLE IF NOT EXISTS entry_minutes
(
    minute          DateTime('UTC'),
    env             LowCardinality(String),
    service         LowCardinality(String),
    by              LowCardinality(String),
    client          String,
    method          LowCardinality(String),
    route           LowCardinality(String),
    retention_days  UInt16,
    calls           SimpleAggregateFunction(sum, UInt64),
    errors          SimpleAggregateFunction(sum, UInt64),
    weighted_calls  SimpleAggregateFunction(sum, Float64),
    weighted_errors SimpleAggregateFunction(sum, Float64),
    duration_ns     AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), Float64),
    last_at         SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY (toDate(minute), retention_days)
PRIMARY KEY (toStartOfHour(minute), env, service, by)
ORDER BY (toStartOfHour(minute), env, service, by, client, method, route, minute, retention_days)
TTL minute + toIntervalDay(retention_days)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;
