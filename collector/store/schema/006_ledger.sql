-- The ledger's range, exact: which of the blocks that a report counts are stored.
-- sequence is the block's number in its agent's spool; 0: the agent is of an earlier version, or there is none.
ALTER TABLE batches ADD COLUMN IF NOT EXISTS sequence UInt64 AFTER source_end;

-- counted_through is the highest such number that the report's counters include. clock_skew_ms is how far the agent's clock seemed ahead
-- when the report arrived (late reports: behind); exporter is what the agent says of its way to the collector, JSON as it came.
ALTER TABLE agent_reports ADD COLUMN IF NOT EXISTS counted_through UInt64 AFTER sequence;
ALTER TABLE agent_reports ADD COLUMN IF NOT EXISTS clock_skew_ms Int64 AFTER counted_through;
ALTER TABLE agent_reports ADD COLUMN IF NOT EXISTS exporter String CODEC(ZSTD(1)) AFTER counters;
