-- Values of collectd -> metric_samples.
INSERT INTO metric_samples (series_id, at, value, retention_days)
-- include _samples.sql
SELECT series_id, sampled_at AS at, value, retention_days
FROM samples
