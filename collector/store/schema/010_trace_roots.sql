-- The root of a trace, service and name from the same span: the earliest span without a parent; while none has come, the earliest span, whose
-- first field is then 1. And a span that claims to last for centuries ends after a year: nanoseconds beyond 2262 would wrap round to the past.
ALTER TABLE trace_index ADD COLUMN IF NOT EXISTS
    root SimpleAggregateFunction(min, Tuple(is_child UInt8, start DateTime64(9, 'UTC'), service String, name String))
    DEFAULT (toUInt8(root_name = '' AND root_service = ''), start, root_service, root_name);

ALTER TABLE trace_index_mv MODIFY QUERY
SELECT trace_id, toDate(spans.start) AS day, retention_days,
       min(spans.start) AS start, max(addNanoseconds(spans.start, least(duration_ns, 31536000000000000))) AS end,
       count() AS spans, countIf(status = 'error') AS errors,
       groupUniqArray(CAST(service, 'String')) AS services, groupUniqArray(CAST(env, 'String')) AS envs,
       maxIf(CAST(service, 'String'), parent_span_id = '') AS root_service,
       maxIf(CAST(name, 'String'), parent_span_id = '') AS root_name,
       maxIf(duration_ns, parent_span_id = '') AS root_duration_ns,
       min((toUInt8(parent_span_id != ''), spans.start, CAST(service, 'String'), CAST(name, 'String'))) AS root
FROM spans
WHERE trace_id != ''
GROUP BY trace_id, day, retention_days;
