-- How far apart the two samples were that a derived transition was seen between: it happened in that time before `at`.
ALTER TABLE breaker_transitions ADD COLUMN IF NOT EXISTS interval_ms UInt32 DEFAULT 0 AFTER derived;
