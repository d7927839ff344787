-- Exemplars of an OpenMetrics exposition -> exemplars.
INSERT INTO exemplars (series_id, at, value, trace_id, span_id, labels, retention_days)
-- include _samples.sql
SELECT
    series_id,
    multiIf(exemplar_ms IS NULL, sampled_at, exemplar_ms < received_ms - retention_days * 86400000, sampled_at,
            exemplar_ms > received_ms + 600000, sampled_at, fromUnixTimestamp64Milli(toInt64(assumeNotNull(exemplar_ms)), 'UTC')) AS at,
    toFloat64OrZero(part[6]) AS value,
    lower(coalesce(nullIf(all_labels['trace_id'], ''), nullIf(all_labels['traceID'], ''), all_labels['traceId'])) AS trace_id,
    lower(coalesce(nullIf(all_labels['span_id'], ''), nullIf(all_labels['spanID'], ''), all_labels['spanId'])) AS span_id,
    CAST(mapFilter((k, v) -> k NOT IN ('trace_id', 'traceID', 'traceId', 'span_id', 'spanID', 'spanId'), all_labels),
         'Map(LowCardinality(String), String)') AS labels,
    retention_days
FROM (SELECT *, labels_of(part[5]) AS all_labels, round(toFloat64OrNull(part[7]) * 1000) AS exemplar_ms FROM samples WHERE line LIKE '% # {%' AND part[5] != '' AND NOT stale)
