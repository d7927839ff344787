-- Rules that ask: what their alerts remember, when their groups were evaluated, and recorded samples on their way.
-- missing_since: an alert whose label set is not among the answers, and of which nobody knows whether it is over.
ALTER TABLE alerts ADD COLUMN missing_since BIGINT;
-- kept_since: its condition has ended, and it fires on for keep_firing_for.
ALTER TABLE alerts ADD COLUMN kept_since BIGINT;

-- slot_at: the time a group was evaluated for; problems: {rule id: why it could not be}.
CREATE TABLE rule_groups (
    id TEXT PRIMARY KEY,
    slot_at BIGINT NOT NULL,
    evaluated_at BIGINT NOT NULL,
    took_s DOUBLE PRECISION NOT NULL,
    problems TEXT NOT NULL
);

-- Samples of recording rules, written with their group's slot and sent until they are acknowledged.
-- id is the Idempotency-Key; body is a WriteRequest of remote_write, snappy, base64.
CREATE TABLE recordings (
    id TEXT PRIMARY KEY,
    slot_at BIGINT NOT NULL,
    body TEXT NOT NULL
);
