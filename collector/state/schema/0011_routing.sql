-- Groups of alerts that are told together, each with its clock. receivers and labels are JSON; receivers null = every one that asks.
CREATE TABLE alert_groups (
    key TEXT PRIMARY KEY,
    route TEXT NOT NULL,
    receivers TEXT NOT NULL,
    labels TEXT NOT NULL,
    began_at BIGINT NOT NULL,
    told_at BIGINT,
    told INTEGER NOT NULL,
    due_at BIGINT
);

CREATE INDEX alert_groups_due ON alert_groups (due_at);

-- What each group did with each of its alerts.
CREATE TABLE group_alerts (
    group_key TEXT NOT NULL REFERENCES alert_groups (key) ON DELETE CASCADE,
    alert_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('new', 'held', 'told', 'ended')),
    PRIMARY KEY (group_key, alert_id)
);

CREATE INDEX group_alerts_alert ON group_alerts (alert_id);

CREATE INDEX group_alerts_held ON group_alerts (alert_id) WHERE state = 'held';

-- What planning remembers besides: the tree of routes that the groups were made by.
CREATE TABLE planning (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Alerts that come and go: when each fired lately (JSON), whether it is flapping, and the end that was not told yet.
CREATE TABLE flaps (
    rule_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    fired TEXT NOT NULL,
    flapping_since BIGINT,
    ended_id TEXT,
    quiet_at BIGINT,
    PRIMARY KEY (rule_id, fingerprint)
);

CREATE INDEX flaps_quiet ON flaps (quiet_at);
