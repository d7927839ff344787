-- Exemplars, from `points`; one of a histogram belongs to the bucket its value falls into.
SELECT
    cityHash64(service, env, concat(family, home.1), type, temporality, point_labels, home.2, home.3) AS series_id,
    multiIf(exemplar_ms < received_ms - retention_days * 86400000, sampled_at, exemplar_ms > received_ms + 600000, sampled_at,
            fromUnixTimestamp64Milli(exemplar_ms, 'UTC')) AS at,
    exemplar.2 AS value,
    exemplar.3 AS trace_id,
    exemplar.4 AS span_id,
    CAST(arrayMap(x -> (label_name(x.1), x.2), exemplar.5), 'Map(LowCardinality(String), String)') AS labels,
    retention_days
FROM
(
    SELECT
        service, env, retention_days, family, type, temporality, point_labels, sampled_at, received_ms, exemplar, toInt64(intDiv(exemplar.1, 1000000)) AS exemplar_ms,
        arrayFirst(x -> if(x.2 = '', true, toFloat64OrZero(x.3) >= exemplar.2), values) AS home
    FROM points
    ARRAY JOIN point_exemplars AS exemplar
)
