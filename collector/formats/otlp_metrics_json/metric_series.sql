-- Series of ExportMetricsServiceRequest as JSON -> metric_series, one row per series and segment.
INSERT INTO metric_series (series_id, name, type, unit, temporality, service, env, labels, help, original_name, first_seen, last_seen)
-- include _samples.sql
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
SETTINGS output_format_json_escape_forward_slashes = 0, short_circuit_function_evaluation = 'force_enable', query_plan_enable_optimizations = 0,
         compile_expressions = 0
