WITH (SELECT (groupArrayIf(trace_id, is_selected), groupArrayIf(trace_id, NOT is_selected))
      FROM (SELECT trace_id, began >= {selected_start:DateTime64(9, 'UTC')} AND began < {selected_end:DateTime64(9, 'UTC')} AND duration_ns >= {selected_min_ns:UInt64} AND duration_ns < {selected_max_ns:UInt64} AND failed = {selected_error:UInt8} AS is_selected
            FROM (SELECT trace_id, minIf(t.root.start, t.root.is_child = 0) AS rooted, if(rooted > toDateTime64(0, 9, 'UTC'), rooted, min(t.start)) AS began,
       greatest(toUInt64(greatest(toUnixTimestamp64Nano(max(t.end)) - toUnixTimestamp64Nano(began), 0)),
                least(max(t.root_duration_ns), 31536000000000000)) AS duration_ns, sum(t.errors) > 0 AS failed
FROM trace_index AS t
WHERE t.day >= toDate({start:DateTime64(9, 'UTC')}) - 1 AND t.day <= toDate({end:DateTime64(9, 'UTC')}) + 1
GROUP BY trace_id
HAVING began >= {start:DateTime64(9, 'UTC')} AND began < {end:DateTime64(9, 'UTC')})
            ORDER BY cityHash64(trace_id)
            LIMIT {traces_most:UInt32} BY is_selected)) AS chosen,
length(chosen.1) AS selected_traces, length(chosen.2) AS rest_traces,
(selected + 1) / (selected_traces + 2) AS p, (rest + 1) / (rest_traces + 2) AS q,
sqrt(p * (1 - p) / (selected_traces + 2) + q * (1 - q) / (rest_traces + 2)) AS deviation
SELECT service, pair.1 AS key, substring(pair.2, 1, {chars:UInt32}) AS value, max(length(pair.2)) > {chars:UInt32} AS cut,
       uniqExactIf(trace_id, is_selected) AS selected, uniqExactIf(trace_id, NOT is_selected) AS rest,
       greatest(abs(p - q) - 1.96 * deviation, 0) AS score, selected_traces, rest_traces
FROM
(
    SELECT trace_id, service, trace_id IN (SELECT arrayJoin(chosen.1)) AS is_selected,
           arrayConcat(arrayZip(mapKeys(attributes), mapValues(attributes)), arrayZip(mapKeys(resource), mapValues(resource)),
                       [('name', CAST(name, 'String')), ('status', CAST(status, 'String')), ('kind', CAST(kind, 'String')),
                        ('status_message', status_message)]) AS pairs
    FROM spans
    WHERE spans.start >= {start:DateTime64(9, 'UTC')} AND spans.start <= {spans_until:DateTime64(9, 'UTC')}
      AND toStartOfMinute(spans.start) >= toStartOfMinute({start:DateTime64(9, 'UTC')})
      AND toStartOfMinute(spans.start) <= toStartOfMinute({spans_until:DateTime64(9, 'UTC')})
      AND trace_id IN (SELECT arrayJoin(arrayConcat(chosen.1, chosen.2)))
)
ARRAY JOIN pairs AS pair
WHERE pair.2 != '' AND pair.1 != 'service.name'
GROUP BY service, key, value
ORDER BY round(score, 1) DESC, p > q DESC, score DESC, service, key, value
LIMIT {limit:UInt32}
