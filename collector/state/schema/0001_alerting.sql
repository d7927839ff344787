-- Alerting's durable state. Runs unchanged on SQLite and PostgreSQL.
-- Every *_at, *_since, not_before is microseconds since the Unix epoch, UTC.

-- Which collector acts (evaluates, delivers). Expired = free for anyone.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- One row per episode: pending, then firing, then resolved (kept as history). A pending episode
-- that never fired is deleted. labels, annotations and instances are JSON.
CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    rule_id TEXT NOT NULL,
    rule TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
    pending_since BIGINT NOT NULL,
    fired_at BIGINT,
    resolved_at BIGINT,
    value DOUBLE PRECISION NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    instances TEXT NOT NULL,
    reason TEXT NOT NULL,
    trace_id TEXT NOT NULL
);

-- One subject has at most one living episode per rule, whatever evaluators do.
CREATE UNIQUE INDEX alerts_active ON alerts (rule_id, fingerprint) WHERE state IN ('pending', 'firing');

CREATE INDEX alerts_resolved ON alerts (resolved_at);

-- Breakers announced as opened and not yet as closed.
CREATE TABLE open_breakers (
    service TEXT NOT NULL,
    env TEXT NOT NULL,
    breaker TEXT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (service, env, breaker)
);

-- What receivers told us about themselves. Another url forgets it.
CREATE TABLE receivers (
    name TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    not_before BIGINT,
    disabled_at BIGINT,
    disabled_reason TEXT
);

-- One row per event and receiver, written in the transaction that changed the alert.
-- id grows with every row: the order of sending within a subject.
CREATE TABLE outbox (
    id BIGINT PRIMARY KEY,
    webhook_id TEXT NOT NULL,
    receiver TEXT NOT NULL,
    subject TEXT NOT NULL,
    type TEXT NOT NULL,
    payload TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    last_status INTEGER,
    last_error TEXT,
    delivered_at BIGINT,
    UNIQUE (webhook_id, receiver)
);

CREATE INDEX outbox_due ON outbox (receiver, status, next_attempt_at);

CREATE INDEX outbox_subject ON outbox (receiver, subject, id);

-- Every attempt, written before the request leaves; without elapsed_ms it was interrupted.
CREATE TABLE attempts (
    outbox_id BIGINT NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    started_at BIGINT NOT NULL,
    elapsed_ms DOUBLE PRECISION,
    address TEXT,
    status INTEGER,
    error TEXT,
    body_excerpt TEXT,
    PRIMARY KEY (outbox_id, number)
);
