-- What was put into the catalogue by hand or by a pipeline: one row per service, its fields as JSON.
CREATE TABLE catalogue (
    service TEXT PRIMARY KEY,
    entry TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);
