-- An agent's report -> agent_reports.
INSERT INTO agent_reports (at, observed_at, agent, name, version, host, sequence, counted_through, clock_skew_ms, started_at,
                           spool_blocks, spool_bytes, oldest_age_s, lag_bytes, counters, exporter, batch_id, retention_days)
WITH
    t -> toUnixTimestamp64Nano(parseDateTime64BestEffortOrNull(t, 9, 'UTC')) AS epoch_ns
SELECT
    fromUnixTimestamp64Nano(multiIf(claimed_ns < received_ns - {retention_days:UInt16} * 86400000000000, received_ns,
                                    claimed_ns > received_ns + 600000000000, received_ns, claimed_ns), 'UTC') AS at,
    fromUnixTimestamp64Nano(received_ns, 'UTC') AS observed_at,
    report.agent AS agent,
    report.name AS name,
    report.version AS version,
    report.host AS host,
    report.sequence AS sequence,
    report.counted_through AS counted_through,
    intDiv(claimed_ns - received_ns, 1000000) AS clock_skew_ms,
    fromUnixTimestamp64Nano(coalesce(epoch_ns(report.started_at), received_ns), 'UTC') AS started_at,
    report.spool.blocks AS spool_blocks,
    report.spool.bytes AS spool_bytes,
    report.spool.oldest_age_s AS oldest_age_s,
    report.lag_bytes AS lag_bytes,
    JSONExtractRaw(body, 'counters') AS counters,
    JSONExtractRaw(body, 'exporter') AS exporter,
    batch_id,
    {retention_days:UInt16} AS retention_days
FROM
(
    SELECT
        batch_id, toInt64(received_at) AS received_ns, body,
        JSONExtract(body, 'Tuple(agent String, name String, version String, host String, at String, sequence UInt64,
                           counted_through UInt64, started_at String,
                           spool Tuple(blocks UInt64, bytes UInt64, oldest_age_s Float64), lag_bytes UInt64)') AS report,
        coalesce(epoch_ns(report.at), received_ns) AS claimed_ns
    FROM segment('body String')
)
