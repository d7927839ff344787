-- Events of the forward protocol, [time, record] a line -> logs.
INSERT INTO logs
(occurred_at, observed_at, service, env, severity, severity_number, body, trace_id, span_id, attributes, resource, batch_id, line, retention_days)
WITH
-- include ../_line_shapes.sql
    , source AS
    (
        SELECT batch_id, received_at, services, envs, format, clock, line, told.record AS whole, []::Array(Tuple(String, String)) AS extra,
               -- Fluent Bit may put metadata beside the time: [time, {…}].
               if(startsWith(told.time, '['), JSONExtractString(told.time, 1), told.time) AS outer_time,
               if(resource['service.name'] = '', mapUpdate(resource, map('service.name', resource['fluent.tag'])), resource) AS resource
        FROM
        (
            SELECT batch_id, received_at, services, envs, format, resource, toDateTime(intDiv(received_at, 1000000000), 'UTC') AS clock,
                   arrayJoin(arrayZip(lines, arrayEnumerate(lines))) AS numbered, toUInt32(numbered.2 - 1) AS line,
                   JSONExtract(numbered.1, 'Tuple(time String, record String)') AS told
            FROM (SELECT *, splitByChar('\n', body) AS lines FROM segment('body String'))
            WHERE numbered.1 != ''
        )
    )
-- include ../_lines.sql
