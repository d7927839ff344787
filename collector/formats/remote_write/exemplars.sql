-- Exemplars of remote_write 1.0 -> exemplars; one that comes with a native histogram belongs to the bucket its value falls into.
INSERT INTO exemplars (series_id, at, value, trace_id, span_id, labels, retention_days)
-- include _requests.sql
SELECT
    id_of(id, home.1, home.2) AS series_id,
    fromUnixTimestamp64Milli(in_range(exemplar.timestamp, received_ms, retention_days), 'UTC') AS at,
    exemplar.value AS value,
    lower(coalesce(nullIf(label(exemplar.labels, 'trace_id'), ''), nullIf(label(exemplar.labels, 'traceID'), ''), label(exemplar.labels, 'traceId'))) AS trace_id,
    lower(coalesce(nullIf(label(exemplar.labels, 'span_id'), ''), nullIf(label(exemplar.labels, 'spanID'), ''), label(exemplar.labels, 'spanId'))) AS span_id,
    CAST(arrayFilter(x -> x.1 NOT IN ('trace_id', 'traceID', 'traceId', 'span_id', 'spanID', 'spanId'), exemplar.labels), 'Map(LowCardinality(String), String)') AS labels,
    retention_days
FROM
(
    SELECT
        received_ms, base_id(series.labels, sender, service, env) AS id, kept(service, env) AS retention_days, exemplar,
        arrayFirst(x -> x.1 = '_bucket' AND if(x.2 = '+Inf', inf, toFloat64OrZero(x.2)) >= exemplar.value, all_histogram_samples(series.histograms)) AS home
    FROM
    (
        SELECT received_ms, sender, series, service_of(claimed_service(teller, sender.1), sender) AS service, permitted(sender.4, claimed_env(teller, sender.2)) AS env
        FROM
        (
            SELECT received_ms, sender, series, telling(series.labels) AS teller
            FROM (SELECT * FROM requests WHERE arrayExists(x -> notEmpty(x.exemplars), all_series))
            ARRAY JOIN all_series AS series
            WHERE notEmpty(series.exemplars)
        )
    )
    ARRAY JOIN series.exemplars AS exemplar
)
