-- Keys that were made through the API, people, and their sessions. Secrets stand here as digests, passwords as scrypt hashes.

-- One row, which every change of the three tables below moves on: collectors that share the state look at it often.
CREATE TABLE access_version (
    id INTEGER PRIMARY KEY,
    version BIGINT NOT NULL
);

-- digest is SHA-256 of the secret, in hex; hint its last characters. The digest before the last rotation opens until previous_until.
-- services and envs are JSON lists; empty = any. A revoked key stays for the record.
CREATE TABLE access_keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('ingest', 'read', 'editor', 'admin')),
    services TEXT NOT NULL,
    envs TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    previous_digest TEXT,
    previous_until BIGINT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    rotated_at BIGINT,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT
);

CREATE UNIQUE INDEX access_keys_name ON access_keys (name) WHERE revoked_at IS NULL;

CREATE TABLE access_people (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('read', 'editor', 'admin')),
    password TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    signed_in_at BIGINT
);

CREATE TABLE access_sessions (
    digest TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES access_people (name) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX access_sessions_person ON access_sessions (person, created_at);
