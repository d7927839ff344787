SELECT id AS series_id, fromUnixTimestamp64Milli(in_range(sample.timestamp, received_ms, retention_days), 'UTC') AS at, sample.value AS value, retention_days
FROM all_series
ARRAY JOIN samples AS sample
SETTINGS enable_lazy_columns_replication = 0
