-- Series and samples of remote_write 2.0 -> metric_entries, one row per series, family and segment. A series says what its family is, and may say when
-- it was created: first_seen is then that.
INSERT INTO metric_entries (series_id, name, type, unit, temporality, service, env, labels, help, original_name, first_seen, last_seen, retention_days, times, values)
WITH
-- include ../_retention.sql
-- include ../_remote_write.sql
    ,
-- include _symbols.sql
    requests AS
    (
        SELECT
            intDiv(toInt64(received_at), 1000000) AS received_ms, body.timeseries AS sent,
            -- Of each series its family's help and unit, then the names of its labels, then their values.
            told_lists(arrayMap((about, refs) -> arrayConcat([about.2, about.3], odd(refs), even(refs)), tupleElement(sent, 'metadata'), tupleElement(sent, 'labels_refs')),
                       body.symbols) AS all_told,
-- include ../_remote_write_sender.sql
        FROM segment('body Tuple(
            symbols Array(String),
            timeseries Array(Tuple(
                labels_refs Array(UInt32),
                samples Array(Tuple(value Float64, timestamp Int64)),
                histograms Array(Tuple(timestamp Int64)),
                metadata Tuple(type Int32, help_ref UInt32, unit_ref UInt32),
                created_timestamp Int64)))')
    ),
    all_series AS
    (
        SELECT
            received_ms, samples.value AS values, arrayMap(ms -> in_range(ms, received_ms, longest), samples.timestamp) AS times, created,
            concat(sender_text, toString(about.1), '\0', arrayStringConcat(told, '\0')) AS plain_text,
            if(countSubstrings(plain_text, '\0') = sender_length + length(told), plain_text,
               concat(sender_hex, '\0', hex(toString(about.1)), hexadecimal(told))) AS text
        FROM requests
        ARRAY JOIN
            tupleElement(sent, 'metadata') AS about, tupleElement(sent, 'samples') AS samples, tupleElement(sent, 'histograms') AS histograms,
            tupleElement(sent, 'created_timestamp') AS created, all_told AS told
        WHERE notEmpty(samples) OR empty(histograms)
    )
-- include ../_remote_write_entries.sql
