-- Saved views: a page with its search and range, under a name that people gave it.
CREATE TABLE views (
    id TEXT PRIMARY KEY,
    page TEXT NOT NULL,
    name TEXT NOT NULL,
    query TEXT NOT NULL,
    env TEXT NOT NULL,
    range_start TEXT NOT NULL,
    range_end TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (page, name)
);
