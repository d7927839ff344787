-- What few requests of remote_write 1.0 hold -> metric_series: the series that native histograms stand for, and what families are (metadata), one row
-- per request; the table's engine makes one of them. A family is a row of its own without labels and samples.
INSERT INTO metric_series (series_id, name, type, unit, temporality, service, env, labels, help, original_name, first_seen, last_seen)
-- include _requests.sql
SELECT
    if(is_family, cityHash64('metadata', service, env, base_name), id_of(base_id(labels_told, sender, service, env), part.1, part.2)) AS series_id,
    concat(base_name, part.1) AS name,
    if(is_family, type_of(family.type, base_name, labels_told), if(gauge, 'gaugehistogram', 'histogram')) AS type,
    family.unit AS unit,
    if(type IN ('counter', 'histogram', 'summary'), 'cumulative', '') AS temporality,
    service,
    env,
    CAST(arrayConcat(other_labels, if(part.2 = '', [], [('le', part.2)])), 'Map(LowCardinality(String), String)') AS labels,
    family.help AS help,
    base_name AS original_name,
    fromUnixTimestamp64Milli(in_range(if(empty(times), received_ms, arrayMin(times)), received_ms, kept(service, env)), 'UTC') AS first_seen,
    fromUnixTimestamp64Milli(in_range(if(empty(times), received_ms, arrayMax(times)), received_ms, kept(service, env)), 'UTC') AS last_seen
FROM
(
    SELECT
        received_ms, sender, labels_told, times, gauge, parts[place] AS part, families[-place] AS family, place < 0 AS is_family,
        if(is_family, permitted(sender.3, sender.1), told_service) AS service,
        if(is_family, permitted(sender.4, sender.2), told_env) AS env,
        if(is_family, family.metric_family_name, label(labels_told, '__name__')) AS base_name,
        arrayFilter(x -> NOT is_family AND x.1 != '__name__', labels_told) AS other_labels
    FROM
    (
        SELECT
            received_ms, sender, labels_told, histograms, families, times, gauge, parts,
            service_of(claimed_service(teller, sender.1), sender) AS told_service, permitted(sender.4, claimed_env(teller, sender.2)) AS told_env
        FROM
        (
            SELECT
                received_ms, sender, series.labels AS labels_told, telling(labels_told) AS teller, series.histograms AS histograms, if(nth < 2, metadata, []) AS families,
                arrayConcat(tupleElement(series.samples, 'timestamp'), tupleElement(histograms, 'timestamp')) AS times,
                arrayExists(x -> x.reset_hint = 3, histograms) AS gauge,
                arrayDistinct(arrayMap(x -> (x.1, x.2), all_histogram_samples(histograms))) AS parts
            FROM requests
            LEFT ARRAY JOIN all_series AS series, arrayEnumerate(all_series) AS nth
            WHERE notEmpty(series.histograms) OR nth < 2
        )
    )
    -- Places: of each (suffix, le) that a histogram stands for, and below 0 of each family that is told beside the first series.
    ARRAY JOIN arrayConcat(CAST(arrayEnumerate(parts), 'Array(Int32)'), arrayMap(x -> -toInt32(x), arrayEnumerate(families))) AS place
)
SETTINGS optimize_on_insert = 0
