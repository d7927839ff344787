-- Silences, and with a schedule maintenance windows. matchers and schedule are JSON; schedule is null for a plain silence.
-- Ended ones are kept as history. ends_at is null only with a schedule that has no end.
CREATE TABLE silences (
    id TEXT PRIMARY KEY,
    matchers TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT,
    schedule TEXT NOT NULL,
    created_by TEXT NOT NULL,
    comment TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX silences_end ON silences (ends_at);

-- Firing alerts that nobody was told of yet, because a silence, an inhibition or a window forbade it.
CREATE TABLE held_alerts (
    alert_id TEXT PRIMARY KEY,
    since BIGINT NOT NULL
);
