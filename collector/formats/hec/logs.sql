-- Events of Splunk's HTTP Event Collector, one JSON object a line -> logs.
INSERT INTO logs
(occurred_at, observed_at, service, env, severity, severity_number, body, trace_id, span_id, attributes, resource, batch_id, line, retention_days)
WITH
-- include ../_line_shapes.sql
    , source AS
    (
        SELECT batch_id, received_at, services, envs, format, clock, line, told.event AS whole,
               -- Seconds with or without a fraction; a number of them is JSON's, its text is told.
               told.time AS outer_time,
               if(told.fields = '', [], JSONExtractKeysAndValues(told.fields, 'String')) AS extra,
               mapUpdate(resource, mapFilter((k, v) -> v != '', map(
                   'service.name', if(resource['service.name'] = '', told.source, resource['service.name']),
                   'source', told.source, 'sourcetype', told.sourcetype, 'index', told.index, 'host', told.host, 'host.name', told.host))) AS resource
        FROM
        (
            SELECT batch_id, received_at, services, envs, format, resource, toDateTime(intDiv(received_at, 1000000000), 'UTC') AS clock,
                   arrayJoin(arrayZip(lines, arrayEnumerate(lines))) AS numbered, toUInt32(numbered.2 - 1) AS line,
                   JSONExtract(numbered.1, 'Tuple(time String, host String, source String, sourcetype String, index String, event String, fields String)') AS told
            FROM (SELECT *, splitByChar('\n', body) AS lines FROM segment('body String'))
            -- What was accepted and cannot be read must not become no rows: it is refused, found and quarantined.
            WHERE throwIf(numbered.1 != '' AND NOT isValidJSON(numbered.1), 'an event is not JSON to ClickHouse') = 0 AND numbered.1 != ''
        )
    )
-- include ../_lines.sql
