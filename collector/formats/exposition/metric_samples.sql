-- Samples of an exposition -> metric_samples.
INSERT INTO metric_samples (series_id, at, value, retention_days)
-- include _samples.sql
SELECT series_id, sampled_at AS at, assumeNotNull(value) AS value, retention_days
FROM samples
