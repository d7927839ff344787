SELECT intDiv(toUnixTimestamp(minute), {step_s:UInt32}) AS bucket, severity AS level, sum(records) AS n
FROM log_minutes
WHERE minute >= {first:DateTime('UTC')} AND minute < {last:DateTime('UTC')}
  AND env = {env:String} AND ((service = {q0:String}) AND ((severity IN ('error', 'fatal'))))
GROUP BY bucket, level
LIMIT 100000
UNION ALL
SELECT intDiv(toUnixTimestamp(occurred_at), {step_s:UInt32}) AS bucket, severity AS level, count() AS n
FROM logs
PREWHERE (occurred_at >= {start:DateTime64(9, 'UTC')} AND occurred_at < {first:DateTime('UTC')})
      OR (occurred_at >= {last:DateTime('UTC')} AND occurred_at < {end:DateTime64(9, 'UTC')})
WHERE env = {env:String} AND ((service = {q0:String}) AND ((severity_number > 0 AND severity_number >= {q1:UInt8})))
GROUP BY bucket, level
LIMIT 100000
