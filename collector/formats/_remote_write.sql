    -- What remote_write 1.0 and 2.0 share. A sample is (its id's seed, time in ms, value) of a series; a native histogram stands for several:
    -- its buckets, count and sum, as (suffix, le, time in ms, value).
    -- Spans say which buckets were told: each begins so many behind the end of the one before, and is so many long.
    s -> arrayFlatten(arrayMap((gaps, lengths, n) -> range(gaps + lengths - n, gaps + lengths), arrayCumSum(arrayMap(o -> toInt64(o.offset), s)),
                               arrayCumSum(arrayMap(l -> toInt64(l.length), s)), arrayMap(l -> toInt64(l.length), s))) AS told,
    (deltas, counts) -> if(empty(deltas), counts, arrayMap(d -> toFloat64(d), arrayCumSum(deltas))) AS bucket_counts,
    -- Bucket i of schema n ends at 2^(i / 2^n); negative ones come first, from far to near; schema -53 has its bounds beside it.
    h -> arrayConcat(
        arrayReverse(arrayMap((i, n) -> (-exp2((i - 1) / exp2(h.schema)), n), told(h.negative_spans), bucket_counts(h.negative_deltas, h.negative_counts))),
        if(h.schema = -53, [], [(h.zero_threshold, h.zero_count_int + h.zero_count_float)]),
        arrayMap((i, n) -> (if(h.schema = -53, if(i < length(h.custom_values), h.custom_values[i + 1], inf), exp2(i / exp2(h.schema))), n),
                 told(h.positive_spans), bucket_counts(h.positive_deltas, h.positive_counts))) AS bounds_and_counts,
    h -> h.count_int + h.count_float AS total,
    -- A histogram that is stale says so in its sum: Prometheus' stale marker, a NaN of its own bits.
    h -> reinterpretAsUInt64(h.sum) = 0x7ff0000000000002 AS ended,
    h -> arrayConcat(
        if(ended(h), [], arrayFilter(b -> b.2 != 'inf', arrayMap((b, so_far) -> ('_bucket', toString(b.1), h.timestamp, so_far), bounds_and_counts(h),
                                                                  arrayCumSum(arrayMap(b -> b.2, bounds_and_counts(h)))))),
        [('_bucket', '+Inf', h.timestamp, if(ended(h), h.sum, total(h))), ('_count', '', h.timestamp, if(ended(h), h.sum, total(h))), ('_sum', '', h.timestamp, h.sum)]) AS histogram_samples,
    hs -> arrayFlatten(arrayMap(one -> histogram_samples(one), hs)) AS all_histogram_samples,
    -- Who exposes a series, by its labels; without any, what the sender said of itself. Looked up among the few labels that can say it.
    (l, n) -> tupleElement(l, 2)[indexOf(tupleElement(l, 1), n)] AS label,
    -- Each statement asks in steps, a column each: a function put into another is analysed as often as it is named, for every segment anew.
    l -> arrayFilter(x -> x.1 IN ('service_name', 'service', 'job', 'env', 'environment', 'deployment_environment_name', 'deployment_environment'), l) AS telling,
    (l, claimed) -> arrayFirst(x -> x != '', [label(l, 'service_name'), label(l, 'service'), label(l, 'job'), claimed]) AS claimed_service,
    (l, claimed) -> arrayFirst(x -> x != '', [label(l, 'env'), label(l, 'environment'), label(l, 'deployment_environment_name'),
                                              label(l, 'deployment_environment'), claimed]) AS claimed_env,
    (allowed, claimed) -> if(empty(allowed) OR has(allowed, claimed), claimed, allowed[1]) AS permitted,
    (claimed, sender) -> permitted(sender.3, if(claimed = '' AND empty(sender.3), 'unknown_service', claimed)) AS service_of,
    -- What a series is known by: its labels, and who it was written as, where that is not in them.
    (labels, sender, service, env) -> cityHash64(sender.1, sender.2, if(empty(sender.3), '', service), if(empty(sender.4), '', env), labels) AS base_id,
    strings -> arrayStringConcat(arrayMap(x -> concat('\0', hex(x)), strings)) AS hexadecimal,
    (id, suffix, le) -> if(suffix = '', id, cityHash64(id, suffix, le)) AS id_of,
    (ms, received, days) -> if(ms BETWEEN received - days * 86400000 AND received + 600000, ms, received) AS in_range,
    -- What a family is: by its declared type, and without one by the name and labels of a series.
    (type, name, l) -> multiIf(
        type BETWEEN 1 AND 7, ['counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'info', 'stateset'][type], endsWith(name, '_total'), 'counter',
        endsWith(name, '_bucket') AND label(l, 'le') != '', 'histogram', label(l, 'quantile') != '', 'summary', 'unknown') AS type_of
