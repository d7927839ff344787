-- A block of log lines -> logs.
INSERT INTO logs
(occurred_at, observed_at, service, env, severity, severity_number, body, trace_id, span_id, attributes, resource, batch_id, line, retention_days)
WITH
-- include ../_line_shapes.sql
    , source AS
    (
        SELECT batch_id, received_at, resource, services, envs, format, clock,
               if(endsWith(numbered.1, '\r'), substring(numbered.1, 1, length(numbered.1) - 1), numbered.1) AS whole, toUInt32(numbered.2 - 1) AS line,
               '' AS outer_time, []::Array(Tuple(String, String)) AS extra
        FROM
        (
            SELECT batch_id, received_at, resource, services, envs, format, toDateTime(intDiv(received_at, 1000000000), 'UTC') AS clock,
                   arrayJoin(arrayZip(lines, arrayEnumerate(lines))) AS numbered
            FROM (SELECT *, splitByChar('\n', body) AS lines FROM segment('body String'))
        )
        WHERE whole != ''
    )
-- include ../_lines.sql
