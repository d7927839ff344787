-- Series of remote_write 2.0 -> metric_series, one row per series, family and segment. A series says what its family is, and may say when it was
-- created: first_seen is then that.
INSERT INTO metric_series (series_id, name, type, unit, temporality, service, env, labels, help, original_name, first_seen, last_seen)
-- include _series.sql
-- include ../_remote_write_series.sql
