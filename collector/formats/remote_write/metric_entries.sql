-- Series and samples of remote_write 1.0 -> metric_entries, one row per series and segment. A series' type is what its name says.
INSERT INTO metric_entries (series_id, name, type, unit, temporality, service, env, labels, help, original_name, first_seen, last_seen, retention_days, times, values)
WITH
-- include ../_retention.sql
-- include ../_remote_write.sql
    ,
    requests AS
    (
        SELECT
            intDiv(toInt64(received_at), 1000000) AS received_ms, body.timeseries AS told,
-- include ../_remote_write_sender.sql
        FROM segment('body Tuple(timeseries Array(Tuple(
            labels Array(Tuple(name String, value String)),
            samples Array(Tuple(value Float64, timestamp Int64)),
            histograms Array(Tuple(timestamp Int64)))))')
    ),
    all_series AS
    (
        SELECT
            received_ms, samples.value AS values, arrayMap(ms -> in_range(ms, received_ms, longest), samples.timestamp) AS times, 0 AS created,
            concat(sender_text, '0\0\0\0', arrayStringConcat(labels.1, '\0'), '\0', arrayStringConcat(labels.2, '\0')) AS plain_text,
            if(countSubstrings(plain_text, '\0') = sender_length + 2 * length(labels) + 2, plain_text,
               concat(sender_hex, '\0', hex('0'), '\0\0', hexadecimal(arrayConcat(labels.1, labels.2)))) AS text
        FROM requests
        ARRAY JOIN tupleElement(told, 'labels') AS labels, tupleElement(told, 'samples') AS samples, tupleElement(told, 'histograms') AS histograms
        WHERE notEmpty(samples) OR empty(histograms)
    )
-- include ../_remote_write_entries.sql
