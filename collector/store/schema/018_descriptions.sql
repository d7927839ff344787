-- What services say of themselves in their resource (fuseboard.owner and the other fields of the catalogue): the last word of each, also of one that
-- has been silent for weeks. A hundred records of each service and insert are looked at, for it is in every record's resource; names of other fields are anybody's.
CREATE TABLE IF NOT EXISTS descriptions
(
    env             LowCardinality(String),
    service         LowCardinality(String),
    field           LowCardinality(String),
    value           AggregateFunction(argMax, String, DateTime64(9, 'UTC')),
    last_at         SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (env, service, field)
TTL toDateTime(last_at) + toIntervalDay(400)
SETTINGS non_replicated_deduplication_window = 100000, min_rows_to_fsync_after_merge = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS descriptions_spans_mv TO descriptions AS
SELECT env, service, told.1 AS field, argMaxState(told.2, at) AS value, max(at) AS last_at
FROM (
SELECT env, service, start AS at, resource
FROM spans
LIMIT 100 BY env, service
)
ARRAY JOIN arrayFilter(each -> each.2 != '', arrayMap(name -> (name, substringUTF8(resource[concat('fuseboard.', name)], 1, 2000)),
           ['owner', 'team', 'tier', 'description', 'runbook', 'docs', 'openapi', 'repo', 'receiver', 'slo'])) AS told
GROUP BY env, service, field;

CREATE MATERIALIZED VIEW IF NOT EXISTS descriptions_logs_mv TO descriptions AS
SELECT env, service, told.1 AS field, argMaxState(told.2, at) AS value, max(at) AS last_at
FROM (
SELECT env, service, occurred_at AS at, resource
FROM logs
LIMIT 100 BY env, service
)
ARRAY JOIN arrayFilter(each -> each.2 != '', arrayMap(name -> (name, substringUTF8(resource[concat('fuseboard.', name)], 1, 2000)),
           ['owner', 'team', 'tier', 'description', 'runbook', 'docs', 'openapi', 'repo', 'receiver', 'slo'])) AS told
GROUP BY env, service, field;
