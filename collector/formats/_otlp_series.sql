-- One row per series and segment, from `samples`.
SELECT
    series_id,
    any(series_name) AS name,
    any(samples.type) AS type,
    max(unit_name) AS unit,
    any(samples.temporality) AS temporality,
    any(samples.service) AS service,
    any(samples.env) AS env,
    CAST(any(if(label = '', point_labels, arrayPushBack(point_labels, (label, label_value)))), 'Map(LowCardinality(String), String)') AS labels,
    max(samples.help) AS help,
    max(samples.original_name) AS original_name,
    min(sampled_at) AS first_seen,
    max(sampled_at) AS last_seen
FROM samples
GROUP BY series_id
