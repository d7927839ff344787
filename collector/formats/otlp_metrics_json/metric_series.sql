-- Series of ExportMetricsServiceRequest as JSON -> metric_series, one row per series and segment.
INSERT INTO metric_series (series_id, name, type, unit, temporality, service, env, labels, help, original_name, first_seen, last_seen)
-- include _samples.sql
-- include ../_otlp_series.sql
SETTINGS output_format_json_escape_forward_slashes = 0, short_circuit_function_evaluation = 'force_enable', query_plan_enable_optimizations = 0,
         compile_expressions = 0
