-- How each receiver stands: its breaker (open_until set: open, or half open once it is past) and what it said last.
-- receivers.url is the SHA-256 of the URL from here on: it may be a secret.
ALTER TABLE receivers ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE receivers ADD COLUMN opens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE receivers ADD COLUMN opened_at BIGINT;
ALTER TABLE receivers ADD COLUMN open_until BIGINT;
ALTER TABLE receivers ADD COLUMN last_success_at BIGINT;
ALTER TABLE receivers ADD COLUMN last_failure_at BIGINT;
ALTER TABLE receivers ADD COLUMN last_error TEXT;

-- What is pending is a small part of months of deliveries, and is asked for twice a second.
DROP INDEX outbox_due;

DROP INDEX outbox_subject;

CREATE INDEX outbox_pending ON outbox (receiver, id) WHERE status = 'pending';

CREATE INDEX outbox_pending_subject ON outbox (receiver, subject, id) WHERE status = 'pending';

CREATE INDEX outbox_receiver ON outbox (receiver, id);

CREATE INDEX attempts_started ON attempts (started_at);
