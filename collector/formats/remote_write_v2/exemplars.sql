-- Exemplars of remote_write 2.0 -> exemplars; one that comes with a native histogram belongs to the bucket its value falls into.
INSERT INTO exemplars (series_id, at, value, trace_id, span_id, labels, retention_days)
-- include _requests.sql
SELECT
    id_of(id, home.1, home.2) AS series_id,
    fromUnixTimestamp64Milli(in_range(exemplar.timestamp, received_ms, retention_days), 'UTC') AS at,
    exemplar.value AS value,
    lower(coalesce(nullIf(label(labels_told, 'trace_id'), ''), nullIf(label(labels_told, 'traceID'), ''), label(labels_told, 'traceId'))) AS trace_id,
    lower(coalesce(nullIf(label(labels_told, 'span_id'), ''), nullIf(label(labels_told, 'spanID'), ''), label(labels_told, 'spanId'))) AS span_id,
    CAST(arrayFilter(x -> x.1 NOT IN ('trace_id', 'traceID', 'traceId', 'span_id', 'spanID', 'spanId'), labels_told), 'Map(LowCardinality(String), String)') AS labels,
    retention_days
FROM
(
    SELECT
        received_ms, base_id(labels, sender, service, env) AS id, kept(service, env) AS retention_days, exemplar, arrayPopFront(exemplar_told) AS labels_told,
        arrayFirst(x -> x.1 = '_bucket' AND if(x.2 = '+Inf', inf, toFloat64OrZero(x.2)) >= exemplar.value, all_histogram_samples(histograms)) AS home
    FROM
    (
        -- An exemplar may have no labels: each list begins with a pair that stands for nothing.
        SELECT received_ms, sender, histograms, labels, exemplars, told_of_exemplars, service_of(claimed_service(teller, sender.1), sender) AS service,
               permitted(sender.4, claimed_env(teller, sender.2)) AS env
        FROM
        (
            SELECT
                received_ms, sender, series.histograms AS histograms, arrayPopFront(told) AS labels, telling(labels) AS teller, series.exemplars AS exemplars,
                arraySlice(exemplars_told, arrayCumSum(arrayMap(x -> length(x.exemplars), all_series))[place] - length(exemplars) + 1, length(exemplars)) AS told_of_exemplars
            FROM
            (
                SELECT *, told_pairs(arrayMap(x -> arrayConcat([0, 0], x.labels_refs), arrayFlatten(tupleElement(all_series, 'exemplars'))), symbols) AS exemplars_told
                FROM requests
                WHERE arrayExists(x -> notEmpty(x.exemplars), all_series)
            )
            ARRAY JOIN all_series AS series, all_told AS told, arrayEnumerate(all_series) AS place
            WHERE notEmpty(series.exemplars)
        )
    )
    ARRAY JOIN exemplars AS exemplar, told_of_exemplars AS exemplar_told
)
