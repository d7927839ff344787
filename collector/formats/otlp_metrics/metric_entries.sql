-- Series and samples of ExportMetricsServiceRequest -> metric_entries, one row per sample; a series is one row per segment once it is written.
INSERT INTO metric_entries (series_id, name, type, unit, temporality, service, env, labels, help, original_name, first_seen, last_seen, retention_days, times, values)
-- include _samples.sql
-- include ../_otlp_entries.sql
SETTINGS input_format_protobuf_oneof_presence = 1, output_format_json_escape_forward_slashes = 0, output_format_json_quote_64bit_integers = 0,
         output_format_json_quote_denormals = 1, short_circuit_function_evaluation = 'force_enable', query_plan_enable_optimizations = 0,
         compile_expressions = 0
