-- Samples of remote_write 1.0 -> metric_samples.
INSERT INTO metric_samples (series_id, at, value, retention_days)
-- include _series.sql
-- include ../_remote_write_samples.sql
