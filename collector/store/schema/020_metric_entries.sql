-- One reading of a segment fills two tables: a mapping that says of each series what it is and which samples came of it writes here, nothing is
-- kept here, and the views hand on the columns of each table. What a series is, is said in the mapping alone: views are not frozen with a segment.
CREATE TABLE IF NOT EXISTS metric_entries
(
    series_id       UInt64,
    name            LowCardinality(String),
    type            LowCardinality(String),
    unit            LowCardinality(String),
    temporality     LowCardinality(String),
    service         LowCardinality(String),
    env             LowCardinality(String),
    labels          Map(LowCardinality(String), String),
    help            String,
    original_name   String,
    first_seen      DateTime64(3, 'UTC'),
    last_seen       DateTime64(3, 'UTC'),
    retention_days  UInt16,
    times           Array(DateTime64(3, 'UTC')),
    values          Array(Float64)
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS metric_entries_series TO metric_series AS
SELECT series_id, name, type, unit, temporality, service, env, labels, help, original_name, first_seen, last_seen
FROM metric_entries
WHERE name != '' OR notEmpty(labels);

CREATE MATERIALIZED VIEW IF NOT EXISTS metric_entries_samples TO metric_samples AS
SELECT series_id, at, value, retention_days
FROM metric_entries
ARRAY JOIN times AS at, values AS value;
