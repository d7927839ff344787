-- Syslog messages, NULs between them -> logs.
INSERT INTO logs
(occurred_at, observed_at, service, env, severity, severity_number, body, trace_id, span_id, attributes, resource, batch_id, line, retention_days)
WITH
-- include ../_line_shapes.sql
    , source AS
    (
        SELECT batch_id, received_at, resource, services, envs, 'syslog' AS format, toDateTime(intDiv(received_at, 1000000000), 'UTC') AS clock,
               arrayJoin(arrayZip(messages, arrayEnumerate(messages))) AS numbered, numbered.1 AS whole, toUInt32(numbered.2 - 1) AS line,
               '' AS outer_time, []::Array(Tuple(String, String)) AS extra
        FROM (SELECT batch_id, received_at, resource, services, envs, splitByChar('\0', body) AS messages FROM segment('body String'))
        WHERE whole != ''
    )
-- include ../_lines.sql
