-- What the statements of histograms and exemplars share: `requests`, one row each, beside its series what each refers to.
WITH
-- include ../_retention.sql
-- include ../_remote_write.sql
    ,
-- include _symbols.sql
    requests AS
    (
        SELECT
            intDiv(toInt64(received_at), 1000000) AS received_ms, body.timeseries AS all_series, body.symbols AS symbols,
            -- Of each series first its family's help and unit, then its labels.
            told_pairs(arrayMap(s -> arrayConcat([s.metadata.help_ref, s.metadata.unit_ref], s.labels_refs), all_series), symbols) AS all_told,
            (resource['service.name'], coalesce(nullIf(resource['deployment.environment.name'], ''), resource['deployment.environment']), services, envs) AS sender
        FROM segment('body Tuple(
            symbols Array(String),
            timeseries Array(Tuple(
                labels_refs Array(UInt32),
                samples Array(Tuple(value Float64, timestamp Int64)),
                histograms Array(Tuple(count_int UInt64, count_float Float64, sum Float64, schema Int32, zero_threshold Float64, zero_count_int UInt64,
                    zero_count_float Float64, negative_spans Array(Tuple(offset Int32, length UInt32)), negative_deltas Array(Int64),
                    negative_counts Array(Float64), positive_spans Array(Tuple(offset Int32, length UInt32)), positive_deltas Array(Int64),
                    positive_counts Array(Float64), reset_hint Int32, timestamp Int64, custom_values Array(Float64))),
                exemplars Array(Tuple(labels_refs Array(UInt32), value Float64, timestamp Int64)),
                metadata Tuple(type Int32, help_ref UInt32, unit_ref UInt32),
                created_timestamp Int64)))')
    )
