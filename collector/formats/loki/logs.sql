-- Entries of a push to Loki as Protobuf -> logs.
INSERT INTO logs
(occurred_at, observed_at, service, env, severity, severity_number, body, trace_id, span_id, attributes, resource, batch_id, line, retention_days)
WITH
-- include ../_loki.sql
-- include ../_line_shapes.sql
    , source AS
    (
        SELECT batch_id, received_at, services, envs, format, clock, stream_resource AS resource, entry.line AS whole,
               toUInt32(first_line + position - 1) AS line,
               if(entry.timestamp.seconds = 0, '', toString(entry.timestamp.seconds * 1000000000 + entry.timestamp.nanos)) AS outer_time,
               arrayMap(x -> (x.name, x.value), entry.metadata) AS extra
        FROM
        (
            SELECT batch_id, received_at, services, envs, format, clock, first_line, stream.entries AS entries,
                   -- {name="value", …}: values are quoted as in Go, which JSON reads.
                   with_labels(resource, CAST(arrayMap(x -> (x[1], JSONExtractString(concat('"', x[2], '"'))),
                       extractAllGroupsVertical(stream.labels, '([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\\]|\\\\.)*)"')), 'Map(String, String)')) AS stream_resource
            FROM
            (
                SELECT *, toDateTime(intDiv(received_at, 1000000000), 'UTC') AS clock,
                       arrayMap(s -> length(s.entries), `body.streams`) AS counts,
                       arrayMap((total, n) -> total - n, arrayCumSum(counts), counts) AS first_lines
                FROM segment('`body.streams` Array(Tuple(labels String, entries Array(Tuple(
                    timestamp Tuple(seconds Int64, nanos Int32), line String, metadata Array(Tuple(name String, value String))))))')
            )
            ARRAY JOIN `body.streams` AS stream, first_lines AS first_line
        )
        ARRAY JOIN entries AS entry, arrayEnumerate(entries) AS position
    )
-- include ../_lines.sql
