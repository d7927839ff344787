-- Series of remote_write 1.0 -> metric_series, one row per series and segment. A series' type is what its name says.
INSERT INTO metric_series (series_id, name, type, unit, temporality, service, env, labels, help, original_name, first_seen, last_seen)
-- include _series.sql
-- include ../_remote_write_series.sql
