-- What the live tail asks: which segments were stored since, in the order they were stored in, and their rows.
-- stored_at is the collector's clock when every table of the segment was complete; one value per segment.
ALTER TABLE batches ADD COLUMN IF NOT EXISTS stored_at DateTime64(9, 'UTC') DEFAULT received_at;

ALTER TABLE batches ADD INDEX IF NOT EXISTS stored_range stored_at TYPE minmax GRANULARITY 1;

ALTER TABLE logs ADD INDEX IF NOT EXISTS observed_range observed_at TYPE minmax GRANULARITY 1;

-- Parts that are there already; in the background, one column is read.
ALTER TABLE batches MATERIALIZE INDEX stored_range;

ALTER TABLE logs MATERIALIZE INDEX observed_range;
