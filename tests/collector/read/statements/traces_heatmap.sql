SELECT intDiv(toUnixTimestamp64Nano(began), {step:Int64}) AS bucket, roundDown(duration_ns, {edges:Array(UInt64)}) AS floor_ns,
       count() AS traces, countIf(failed) AS errors
FROM (SELECT trace_id, min(t.start) AS began, sum(t.errors) > 0 AS failed,
       toUInt64(greatest(toUnixTimestamp64Nano(max(t.end)) - toUnixTimestamp64Nano(min(t.start)), 0)) AS duration_ns
FROM trace_index AS t
WHERE t.day >= toDate({start:DateTime64(9, 'UTC')}) - 1 AND t.day <= toDate({end:DateTime64(9, 'UTC')}) + 1
GROUP BY trace_id
HAVING began >= {start:DateTime64(9, 'UTC')} AND began < {end:DateTime64(9, 'UTC')})
GROUP BY bucket, floor_ns
ORDER BY bucket, floor_ns
LIMIT 100000
