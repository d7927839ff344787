-- One row per sample with its series, from `samples`; the engine of metric_series makes one per series of them as the block is written
-- (optimize_on_insert), which costs a third of grouping them here: labels would be carried in a hash table.
SELECT
    series_id,
    series_name AS name,
    samples.type AS type,
    unit_name AS unit,
    samples.temporality AS temporality,
    samples.service AS service,
    samples.env AS env,
    CAST(if(label = '', point_labels, arrayPushBack(point_labels, (label, label_value))), 'Map(LowCardinality(String), String)') AS labels,
    samples.help AS help,
    samples.original_name AS original_name,
    sampled_at AS first_seen,
    sampled_at AS last_seen,
    samples.retention_days AS retention_days,
    [sampled_at] AS times,
    [sample] AS values
FROM samples
