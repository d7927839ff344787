-- Series of an exposition -> metric_series, one row per series and segment.
INSERT INTO metric_series (series_id, name, type, unit, temporality, service, env, labels, help, original_name, first_seen, last_seen)
-- include _samples.sql
SELECT
    series_id,
    name,
    multiIf(suffix = '', replaceOne(family_type, 'untyped', 'unknown'),
            concat(family_type, suffix) IN ('counter_total', 'counter_created', 'histogram_bucket', 'histogram_sum', 'histogram_count',
                'histogram_created', 'summary_sum', 'summary_count', 'summary_created', 'gaugehistogram_bucket', 'gaugehistogram_gsum',
                'gaugehistogram_gcount', 'info_info'), family_type,
            'unknown') AS type,
    if(about(unit_line) IN (name, if(type = 'unknown', name, family)), extract(unit_line, '^# UNIT\\s+\\S+\\s+(\\S+)'), '') AS unit,
    if(type IN ('counter', 'histogram', 'summary'), 'cumulative', '') AS temporality,
    service,
    env,
    CAST(mapUpdate(mapFilter((k, v) -> v != '', map('job', job, 'instance', instance)), labels_of(label_text)),
         'Map(LowCardinality(String), String)') AS labels,
    if(about(help_line) IN (name, if(type = 'unknown', name, family)), unescaped(extract(help_line, '^# HELP\\s+\\S+\\s+(.*)')), '') AS help,
    name AS original_name,
    first_seen,
    last_seen
FROM
(
    SELECT
        series_id, service, env, job, instance, unit_line, help_line, first_seen, last_seen, substringIndex(series, '{', 1) AS series_name,
        substring(series, length(series_name) + 1) AS label_text,
        if(series_name != '', series_name, unescaped(extract(label_text, '^[{]\\s*"((?:[^"\\\\]|\\\\.)*)"\\s*[,}]'))) AS name,
        about(type_line) AS family,
        extract(type_line, '^# TYPE\\s+\\S+\\s+(\\S+)') AS family_type,
        if(startsWith(name, family), substring(name, length(family) + 1), 'another family') AS suffix
    FROM
    (
        SELECT
            series_id, any(service) AS service, any(env) AS env, any(job) AS job, any(instance) AS instance, any(samples.series) AS series,
            max(type_line) AS type_line, max(help_line) AS help_line, max(unit_line) AS unit_line, min(sampled_at) AS first_seen,
            max(sampled_at) AS last_seen
        FROM samples
        WHERE NOT stale -- a series is not seen by its end
        GROUP BY series_id
    )
)
