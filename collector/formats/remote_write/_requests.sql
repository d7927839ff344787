-- What the statements of histograms, families and exemplars share: `requests`, one row each.
WITH
-- include ../_retention.sql
-- include ../_remote_write.sql
    ,
    requests AS
    (
        SELECT
            intDiv(toInt64(received_at), 1000000) AS received_ms, body.timeseries AS all_series, body.metadata AS metadata,
            (resource['service.name'], coalesce(nullIf(resource['deployment.environment.name'], ''), resource['deployment.environment']), services, envs) AS sender
        FROM segment('body Tuple(
            timeseries Array(Tuple(
                labels Array(Tuple(name String, value String)),
                samples Array(Tuple(value Float64, timestamp Int64)),
                exemplars Array(Tuple(labels Array(Tuple(name String, value String)), value Float64, timestamp Int64)),
                histograms Array(Tuple(count_int UInt64, count_float Float64, sum Float64, schema Int32, zero_threshold Float64, zero_count_int UInt64,
                    zero_count_float Float64, negative_spans Array(Tuple(offset Int32, length UInt32)), negative_deltas Array(Int64),
                    negative_counts Array(Float64), positive_spans Array(Tuple(offset Int32, length UInt32)), positive_deltas Array(Int64),
                    positive_counts Array(Float64), reset_hint Int32, timestamp Int64, custom_values Array(Float64))))),
            metadata Array(Tuple(type Int32, metric_family_name String, help String, unit String)))')
    )
