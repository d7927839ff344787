-- Incidents: alerts with one root, from the first page to the end. pinned is JSON: what explains it, copied so that it outlives the telemetry.
CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    service TEXT NOT NULL,
    env TEXT NOT NULL,
    title TEXT NOT NULL,
    severity TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved', 'merged')),
    opened_at BIGINT NOT NULL,
    acknowledged_at BIGINT,
    resolved_at BIGINT,
    updated_at BIGINT NOT NULL,
    merged_into TEXT,
    pinned TEXT NOT NULL,
    pinned_at BIGINT
);

CREATE INDEX incidents_state ON incidents (state, resolved_at);

CREATE INDEX incidents_opened ON incidents (opened_at);

-- evidence is JSON: the steps by which an alert of a caller belongs here.
CREATE TABLE incident_alerts (
    incident_id TEXT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    alert_id TEXT NOT NULL,
    added_at BIGINT NOT NULL,
    evidence TEXT NOT NULL,
    PRIMARY KEY (incident_id, alert_id)
);

CREATE INDEX incident_alerts_alert ON incident_alerts (alert_id);

-- What happened to an incident, by whose hand ('' = by itself).
CREATE TABLE incident_entries (
    incident_id TEXT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    author TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (incident_id, number)
);
