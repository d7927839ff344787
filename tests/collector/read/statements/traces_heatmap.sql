SELECT intDiv(toUnixTimestamp64Nano(began), {step:Int64}) AS bucket, roundDown(duration_ns, {edges:Array(UInt64)}) AS floor_ns,
       count() AS traces, countIf(failed) AS errors
FROM (SELECT trace_id, minIf(t.root.start, t.root.is_child = 0) AS rooted, if(rooted > toDateTime64(0, 9, 'UTC'), rooted, min(t.start)) AS began,
       greatest(toUInt64(greatest(toUnixTimestamp64Nano(max(t.end)) - toUnixTimestamp64Nano(began), 0)),
                least(max(t.root_duration_ns), 31536000000000000)) AS duration_ns, sum(t.errors) > 0 AS failed
FROM trace_index AS t
WHERE t.day >= toDate({start:DateTime64(9, 'UTC')}) - 1 AND t.day <= toDate({end:DateTime64(9, 'UTC')}) + 1
GROUP BY trace_id
HAVING began >= {start:DateTime64(9, 'UTC')} AND began < {end:DateTime64(9, 'UTC')})
GROUP BY bucket, floor_ns
ORDER BY bucket, floor_ns
LIMIT 100000
