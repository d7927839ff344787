-- Deploys as those who deploy tell them. told_as: the Idempotency-Key, else the id; digest: of the request that was sent under it.
CREATE TABLE deploy_markers (
    id TEXT PRIMARY KEY,
    told_as TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL,
    service TEXT NOT NULL,
    version TEXT NOT NULL,
    env TEXT NOT NULL,
    at BIGINT NOT NULL,
    told_by TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    received_at BIGINT NOT NULL
);
CREATE INDEX deploy_markers_at ON deploy_markers (at);
