-- Exemplars of ExportMetricsServiceRequest -> exemplars; one of a histogram belongs to the bucket its value falls into.
INSERT INTO exemplars (series_id, at, value, trace_id, span_id, labels, retention_days)
-- include _samples.sql
-- include ../_otlp_exemplars.sql
SETTINGS input_format_protobuf_oneof_presence = 1, output_format_json_escape_forward_slashes = 0, output_format_json_quote_64bit_integers = 0,
         output_format_json_quote_denormals = 1, short_circuit_function_evaluation = 'force_enable', query_plan_enable_optimizations = 0,
         compile_expressions = 0
