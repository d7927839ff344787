-- How far each watermark job is. planned_until > done_until: a window was begun and is run again as it was.
CREATE TABLE jobs (
    name TEXT PRIMARY KEY,
    done_until BIGINT NOT NULL,
    planned_until BIGINT NOT NULL
);
