-- Documents of Elasticsearch's bulk API, an action and a document by turns -> logs.
INSERT INTO logs
(occurred_at, observed_at, service, env, severity, severity_number, body, trace_id, span_id, attributes, resource, batch_id, line, retention_days)
WITH
-- include ../_line_shapes.sql
    , source AS
    (
        SELECT batch_id, received_at, services, envs, format, toDateTime(intDiv(received_at, 1000000000), 'UTC') AS clock,
               arrayJoin(arrayMap(n -> (lines[2 * n - 1], lines[2 * n], n), range(1, intDiv(length(lines), 2) + 1))) AS item,
               item.2 AS whole, toUInt32(item.3 - 1) AS line, '' AS outer_time, []::Array(Tuple(String, String)) AS extra,
               concat(JSONExtractString(item.1, 'index', '_index'), JSONExtractString(item.1, 'create', '_index')) AS named,
               if(named = '', resource, mapUpdate(resource, map('elasticsearch.index', named))) AS resource
        FROM (SELECT * REPLACE (resource AS resource), splitByChar('\n', body) AS lines FROM segment('body String'))
    )
-- include ../_lines.sql
