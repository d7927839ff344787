SELECT trace_id, min(t.root).3 AS root_service, min(t.root).4 AS root_name, min(t.root).1 = 1 AS root_missing, began AS start,
       minIf(t.root.start, t.root.is_child = 0) AS rooted, if(rooted > toDateTime64(0, 9, 'UTC'), rooted, min(t.start)) AS began,
       greatest(toUInt64(greatest(toUnixTimestamp64Nano(max(t.end)) - toUnixTimestamp64Nano(began), 0)),
                least(max(t.root_duration_ns), 31536000000000000)) AS duration_ns,
       sum(t.spans) AS spans, arraySort(groupUniqArrayArray(t.services)) AS services, sum(t.errors) > 0 AS error
FROM trace_index AS t
WHERE t.day >= toDate({start:DateTime64(9, 'UTC')}) - 1 AND t.day <= toDate({end:DateTime64(9, 'UTC')}) + 1
  AND trace_id IN (SELECT trace_id FROM (SELECT trace_id, minIf(t.root.start, t.root.is_child = 0) AS rooted, if(rooted > toDateTime64(0, 9, 'UTC'), rooted, min(t.start)) AS began,
       greatest(toUInt64(greatest(toUnixTimestamp64Nano(max(t.end)) - toUnixTimestamp64Nano(began), 0)),
                least(max(t.root_duration_ns), 31536000000000000)) AS duration_ns, sum(t.errors) > 0 AS failed
FROM trace_index AS t
WHERE t.day >= toDate({start:DateTime64(9, 'UTC')}) - 1 AND t.day <= toDate({end:DateTime64(9, 'UTC')}) + 1
  AND trace_id IN (SELECT trace_id FROM spans
                   WHERE spans.start >= {start:DateTime64(9, 'UTC')} AND spans.start < {reached:DateTime64(9, 'UTC')}
        AND toStartOfMinute(spans.start) >= toStartOfMinute({start:DateTime64(9, 'UTC')})
        AND toStartOfMinute(spans.start) <= toStartOfMinute({reached:DateTime64(9, 'UTC')})
                     AND toStartOfMinute(spans.start) >= toStartOfMinute({start:DateTime64(9, 'UTC')})
                     AND toStartOfMinute(spans.start) <= toStartOfMinute({reached:DateTime64(9, 'UTC')}) AND service = {service:String} AND ((has(attributes.keys, {q0:String}) OR has(resource.keys, {q0:String})) AND if(mapContains(attributes, {q0:String}), attributes[{q0:String}], resource[{q0:String}]) = {q1:String}) AND name = {name:String} AND status = {status:String})
GROUP BY trace_id
HAVING began >= {start:DateTime64(9, 'UTC')} AND began < {end:DateTime64(9, 'UTC')}
   AND max(has(t.envs, {env:String}))
   AND max(has(t.services, {service:String}))
   AND failed = {error:UInt8}
   AND duration_ns >= {min_duration_ns:UInt64}
   AND duration_ns < {max_duration_ns:UInt64})
                   WHERE 1 AND trace_id NOT IN {seen:Array(String)}
                   ORDER BY duration_ns DESC, trace_id DESC
                   LIMIT {limit:UInt32})
GROUP BY trace_id
ORDER BY duration_ns DESC, trace_id DESC
LIMIT {limit:UInt32}
