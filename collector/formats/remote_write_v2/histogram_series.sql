-- Native histograms of remote_write 2.0 -> metric_series: the series that each stands for, one row per request; the table's engine makes one of them.
INSERT INTO metric_series (series_id, name, type, unit, temporality, service, env, labels, help, original_name, first_seen, last_seen)
-- include _requests.sql
SELECT
    id_of(base_id(labels_told, sender, service, env), part.1, part.2) AS series_id,
    concat(base_name, part.1) AS name,
    if(gauge, 'gaugehistogram', 'histogram') AS type,
    family.2 AS unit,
    if(gauge, '', 'cumulative') AS temporality,
    service,
    env,
    CAST(arrayConcat(other_labels, if(part.2 = '', [], [('le', part.2)])), 'Map(LowCardinality(String), String)') AS labels,
    family.1 AS help,
    base_name AS original_name,
    fromUnixTimestamp64Milli(in_range(if(empty(times), received_ms, arrayMin(times)), received_ms, kept(service, env)), 'UTC') AS first_seen,
    fromUnixTimestamp64Milli(in_range(if(empty(times), received_ms, arrayMax(times)), received_ms, kept(service, env)), 'UTC') AS last_seen
FROM
(
    SELECT
        received_ms, sender, labels_told, family, times, gauge, part, label(labels_told, '__name__') AS base_name, service, env,
        arrayFilter(x -> x.1 != '__name__', labels_told) AS other_labels
    FROM
    (
        SELECT
            received_ms, sender, family, labels_told, times, gauge, parts,
            service_of(claimed_service(teller, sender.1), sender) AS service, permitted(sender.4, claimed_env(teller, sender.2)) AS env
        FROM
        (
            SELECT
                received_ms, sender, told[1] AS family, arrayPopFront(told) AS labels_told, telling(labels_told) AS teller, series.histograms AS histograms,
                arrayConcat(tupleElement(series.samples, 'timestamp'), tupleElement(histograms, 'timestamp'),
                            if(series.created_timestamp > 0, [series.created_timestamp], [])) AS times,
                arrayExists(x -> x.reset_hint = 3, histograms) AS gauge,
                arrayDistinct(arrayMap(x -> (x.1, x.2), all_histogram_samples(histograms))) AS parts
            FROM requests
            ARRAY JOIN all_series AS series, all_told AS told
            WHERE notEmpty(series.histograms)
        )
    )
    ARRAY JOIN parts AS part
)
SETTINGS optimize_on_insert = 0
