-- Samples of ExportMetricsServiceRequest -> metric_samples.
INSERT INTO metric_samples (series_id, at, value, retention_days)
-- include _samples.sql
SELECT series_id, sampled_at AS at, sample AS value, retention_days
FROM samples
SETTINGS input_format_protobuf_oneof_presence = 1, output_format_json_escape_forward_slashes = 0, output_format_json_quote_64bit_integers = 0,
         output_format_json_quote_denormals = 1, short_circuit_function_evaluation = 'force_enable', query_plan_enable_optimizations = 0,
         compile_expressions = 0
