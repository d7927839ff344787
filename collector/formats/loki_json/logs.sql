-- Entries of a push to Loki as JSON -> logs.
INSERT INTO logs
(occurred_at, observed_at, service, env, severity, severity_number, body, trace_id, span_id, attributes, resource, batch_id, line, retention_days)
WITH
-- include ../_loki.sql
-- include ../_line_shapes.sql
    , source AS
    (
        SELECT batch_id, received_at, services, envs, format, clock, stream_resource AS resource, entry.2 AS whole,
               toUInt32(first_line + position - 1) AS line, entry.1 AS outer_time,
               if(entry.3 = '', [], JSONExtractKeysAndValues(entry.3, 'String')) AS extra
        FROM
        (
            SELECT batch_id, received_at, services, envs, format, clock, first_line, stream.values AS entries,
                   with_labels(resource, stream.stream) AS stream_resource
            FROM
            (
                SELECT *, toDateTime(intDiv(received_at, 1000000000), 'UTC') AS clock,
                       JSONExtract(body, 'streams', 'Array(Tuple(stream Map(String, String), values Array(Tuple(String, String, String))))') AS streams,
                       arrayMap(s -> length(s.values), streams) AS counts,
                       arrayMap((total, n) -> total - n, arrayCumSum(counts), counts) AS first_lines
                FROM segment('body String')
                -- What was accepted and cannot be read must not become no rows: it is refused, found and quarantined.
                WHERE throwIf(NOT isValidJSON(body), 'the body is not JSON to ClickHouse') = 0
            )
            ARRAY JOIN streams AS stream, first_lines AS first_line
        )
        ARRAY JOIN entries AS entry, arrayEnumerate(entries) AS position
    )
-- include ../_lines.sql
