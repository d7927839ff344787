-- Exemplars of ExportMetricsServiceRequest -> exemplars; one of a histogram belongs to the bucket its value falls into.
INSERT INTO exemplars (series_id, at, value, trace_id, span_id, labels, retention_days)
WITH
    -- AnyValue is a tuple whose `is` holds the number of the branch that was set, 0 = none. Containers, whatever their depth, are written by
    -- toJSONString and cut down to plain JSON by text replacement: each pattern holds bare quotes, which no string inside JSON can hold.
    -- Bytes, and Protobuf from below the last level, are decoded from their JSON escapes one \C, a byte, at a time.
    '"(?:[^"\\\\]|\\\\.)*"' AS str,
    '"[yma]":"\\C+?","' AS bytes_member,
    '[{]"m":(?:[{]"v":[[][]][}]|""),"a":(?:[{]"v":[[][]][}]|""),' AS no_container,
    '"s":"","b":false,"i":0,"d":0,"y":"",' AS no_scalar,
    t -> arrayStringConcat(arrayMap(c -> multiIf(
            c LIKE '\\\\u00%', substring(c, 5, 2), c = '\\u2028', 'E280A8', c = '\\u2029', 'E280A9', length(c) = 1, hex(c),
            transform(c, ['\\b', '\\f', '\\n', '\\r', '\\t'], ['08', '0C', '0A', '0D', '09'], hex(substring(c, 2)))),
        extractAll(t, '\\\\u[0-9A-Fa-f]{4}|\\\\\\C|\\C'))) AS hex_of_json,
    t -> if(match(t, bytes_member), arrayStringConcat(arrayMap((before, member) -> if(member = '', before, concat(before, left(member, 5),
                if(startsWith(member, '"y'), base64Encode(unhex(hex_of_json(substring(member, 6, length(member) - 8)))),
                   lower(hex_of_json(substring(member, 6, length(member) - 8)))), '","')),
            splitByRegexp(bytes_member, t), arrayPushBack(extractAll(t, concat('(', bytes_member, ')')), ''))), t) AS recoded,
    t -> replaceRegexpAll(recoded(replaceRegexpAll(t, '"([yma])":""', '"\\1":_')), '"([yma])":_', '"\\1":""') AS without_bytes,
    (t, from, to) -> replaceRegexpAll(t, concat(from, '[}][}]?'), to) AS put,
    t -> put(put(put(put(put(put(replaceRegexpAll(without_bytes(t), concat('[{]"k":(', str, '),"v":'), '\\1:'),
            concat(no_container, '"s":(', str, '),"b":false,"i":0,"d":0,"y":"","is":1'), '\\1'),
            concat(no_container, '"s":"","b":(true|false),"i":0,"d":0,"y":"","is":2'), '\\1'),
            concat(no_container, '"s":"","b":false,"i":(-?[0-9]+),"d":0,"y":"","is":3'), '\\1'),
            concat(no_container, '"s":"","b":false,"i":0,"d":([^,]+),"y":"","is":4'), '\\1'),
            concat(no_container, '"s":"","b":false,"i":0,"d":0,"y":(', str, '),"is":7'), '\\1'),
            concat(no_container, no_scalar, '"is":0'), 'null') AS scalars_put,
    t -> replaceAll(replaceAll(put(put(put(put(put(put(t,
            concat(no_container, no_scalar, '"is":5'), '[]'),
            concat(no_container, no_scalar, '"is":6'), '{}'),
            concat('[{]"m":"","a":(', str, '),', no_scalar, '"is":5'), '{"fuseboard.protobuf":\\1}'),
            concat('[{]"m":(', str, '),"a":"",', no_scalar, '"is":6'), '{"fuseboard.protobuf":\\1}'),
            concat('[]][}],', no_scalar, '"is":5'), ']'),
            concat('[]][}],"a":[{]"v":[[][]][}],', no_scalar, '"is":6'), '}'),
            '{"m":{"v":[]},"a":{"v":[', '['), '{"m":{"v":[', '{') AS containers_put,
    t -> containers_put(scalars_put(t)) AS json,
    v -> multiIf(v.is = 1, v.s, v.is = 3, toString(v.i), v.is = 2, if(v.b, 'true', 'false'), v.is = 4, toString(v.d),
                 v.is = 7, base64Encode(v.y), v.is = 0, '', toJSONString(v)) AS text,
    p -> arrayMap(x -> (x.k, text(x.v), x.v.is), p) AS texts,
    -- A map becomes one pair per leaf, its keys joined with dots.
    t -> multiIf(startsWith(t, '"'), JSONExtractString(t), t = 'null', '', t) AS leaf,
    (k, t) -> [(k, leaf(t))] AS flat5,
    (k, t) -> if(startsWith(t, '{"'), arrayFlatten(arrayMap(p4 -> flat5(concat(k, '.', p4.1), p4.2), JSONExtractKeysAndValuesRaw(t))),
                 [(k, leaf(t))]) AS flat4,
    (k, t) -> if(startsWith(t, '{"'), arrayFlatten(arrayMap(p3 -> flat4(concat(k, '.', p3.1), p3.2), JSONExtractKeysAndValuesRaw(t))),
                 [(k, leaf(t))]) AS flat3,
    (k, t) -> if(startsWith(t, '{"'), arrayFlatten(arrayMap(p2 -> flat3(concat(k, '.', p2.1), p2.2), JSONExtractKeysAndValuesRaw(t))),
                 [(k, leaf(t))]) AS flat2,
    (k, t) -> if(startsWith(t, '{"'), arrayFlatten(arrayMap(p1 -> flat2(concat(k, '.', p1.1), p1.2), JSONExtractKeysAndValuesRaw(t))),
                 [(k, leaf(t))]) AS flat1,
    (k, t) -> if(startsWith(t, '{"'), arrayFlatten(arrayMap(p0 -> flat1(concat(k, '.', p0.1), p0.2), JSONExtractKeysAndValuesRaw(t))),
                 [(k, leaf(t))]) AS flat0,
    p -> if(arrayExists(x -> x.3 IN (5, 6), p),
            arrayFlatten(arrayMap(x -> if(x.3 = 6, flat0(x.1, x.2), [(x.1, x.2)]), arrayMap(x -> (x.1, if(x.3 IN (5, 6), json(x.2), x.2), x.3), p))),
            arrayMap(x -> (x.1, x.2), p)) AS pairs,
    t -> if(match(t, '^[0-9]'), concat('_', replaceRegexpAll(t, '[^a-zA-Z0-9_]+', '_')), replaceRegexpAll(t, '[^a-zA-Z0-9_]+', '_')) AS label_name,
    ['s', 'ms', 'us', 'ns', 'min', 'h', 'd', 'By', 'KiBy', 'MiBy', 'GiBy', 'TiBy', 'KBy', 'MBy', 'GBy', 'TBy', 'm', 'V', 'A', 'J', 'W', 'g', 'Cel', 'Hz', '%', '1'] AS ucum,
    ['seconds', 'milliseconds', 'microseconds', 'nanoseconds', 'minutes', 'hours', 'days', 'bytes', 'kibibytes', 'mebibytes', 'gibibytes', 'tebibytes', 'kilobytes', 'megabytes',
     'gigabytes', 'terabytes', 'meters', 'volts', 'amperes', 'joules', 'watts', 'grams', 'celsius', 'hertz', 'percent', ''] AS unit_words,
    ['s', 'm', 'h', 'd', 'w', 'mo', 'y'] AS per_ucum,
    ['second', 'minute', 'hour', 'day', 'week', 'month', 'year'] AS per_words,
    -- Upper bounds and counts become pairs of (le, cumulative count); the last bucket's bound is +Inf.
    (bounds, counts) -> arrayMap((bound, total) -> ('_bucket', 'le', bound, toFloat64(total)), arrayPushBack(arrayMap(x -> toString(x), bounds), '+Inf'),
        arrayCumSum(arrayResize(counts, length(bounds) + 1, toUInt64(0)))) AS buckets,
    -- Bounds of an exponential histogram: bucket i of scale s ends at 2^((offset + i + 1) / 2^s); negative ones come first, from far to near.
    d -> arrayConcat(
        arrayMap(i -> -exp2((d.negative.offset + i - 1) / exp2(d.scale)), arrayReverse(arrayEnumerate(d.negative.bucket_counts))),
        [d.zero_threshold],
        arrayMap(i -> exp2((d.positive.offset + i) / exp2(d.scale)), arrayEnumerate(d.positive.bucket_counts))) AS exponential_bounds,
    e -> arrayMap(x -> (x.time_unix_nano, if(x.is = 6, toFloat64(x.as_int), x.as_double), lower(hex(x.trace_id)), lower(hex(x.span_id)), texts(x.filtered_attributes)), e) AS exemplar_rows,
    -- A data point: attributes, time, the samples it stands for as (suffix, label, label's value, value), exemplars.
    d -> arrayMap(x -> (texts(x.attributes), x.time_unix_nano, [('', '', '', multiIf(bitTest(x.flags, 0), nan, x.is = 6, toFloat64(x.as_int), x.as_double))],
                        exemplar_rows(x.exemplars)), d) AS numbers,
    d -> arrayMap(x -> (texts(x.attributes), x.time_unix_nano,
                        arrayConcat(if(empty(x.bucket_counts), [('_bucket', 'le', '+Inf', toFloat64(x.count))], buckets(x.explicit_bounds, x.bucket_counts)),
                                    [('_count', '', '', toFloat64(x.count))], if(x.sum IS NULL, [], [('_sum', '', '', assumeNotNull(x.sum))])),
                        exemplar_rows(x.exemplars)), d) AS histograms,
    d -> arrayMap(x -> (texts(x.attributes), x.time_unix_nano,
                        arrayConcat(buckets(exponential_bounds(x),
                                            arrayConcat(arrayReverse(x.negative.bucket_counts), [x.zero_count], x.positive.bucket_counts)),
                                    [('_count', '', '', toFloat64(x.count))], if(x.sum IS NULL, [], [('_sum', '', '', assumeNotNull(x.sum))])),
                        exemplar_rows(x.exemplars)), d) AS exponentials,
    d -> arrayMap(x -> (texts(x.attributes), x.time_unix_nano,
                        arrayConcat(arrayMap(q -> ('', 'quantile', toString(q.quantile), q.value), x.quantile_values),
                                    [('_count', '', '', toFloat64(x.count)), ('_sum', '', '', x.sum)]), CAST([], 'Array(Tuple(UInt64, Float64, String, String, Array(Tuple(String, String, UInt8))))')), d) AS summaries,
    metrics AS
    (
        SELECT
            received_ns, service, env, identity, metric.name AS original_name, metric.description AS help, metric.unit AS otel_unit,
            multiIf(notEmpty(metric.sum.data_points), if(metric.sum.is_monotonic, 'counter', 'gauge'), notEmpty(metric.histogram.data_points), 'histogram',
                    notEmpty(metric.exponential_histogram.data_points), 'histogram', notEmpty(metric.summary.data_points), 'summary', 'gauge') AS type,
            multiIf(type = 'summary', 'cumulative', transform(
                metric.sum.aggregation_temporality + metric.histogram.aggregation_temporality + metric.exponential_histogram.aggregation_temporality,
                [1, 2], ['delta', 'cumulative'], '')) AS temporality,
            arrayConcat(numbers(metric.gauge.data_points), numbers(metric.sum.data_points), histograms(metric.histogram.data_points),
                        exponentials(metric.exponential_histogram.data_points), summaries(metric.summary.data_points)) AS data_points
        FROM
        (
            SELECT
                received_ns, scopes,
                multiIf(has(services, claimed_service), claimed_service, notEmpty(services), services[1],
                        claimed_service = '', 'unknown_service', claimed_service) AS service,
                multiIf(has(envs, claimed_env), claimed_env, notEmpty(envs), envs[1], claimed_env) AS env,
                arrayFilter(x -> x.2 != '', [
                    ('instance', claimed_resource['service.instance.id']),
                    ('job', if(claimed_resource['service.namespace'] = '', service, concat(claimed_resource['service.namespace'], '/', service))),
                    ('service_version', claimed_resource['service.version'])]) AS identity
            FROM
            (
                SELECT
                    received_ns, services, envs, scopes, claimed_resource, claimed_resource['service.name'] AS claimed_service,
                    coalesce(nullIf(claimed_resource['deployment.environment.name'], ''), claimed_resource['deployment.environment']) AS claimed_env
                FROM
                (
                    SELECT
                        toInt64(received_at) AS received_ns, services, envs, resource_metrics.scope_metrics AS scopes,
                        mapUpdate(resource, CAST(pairs(texts(resource_metrics.resource.attributes)), 'Map(String, String)')) AS claimed_resource
                    FROM segment('body Tuple(resource_metrics Array(Tuple(
                        resource Tuple(
                            attributes Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s String,
                            b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s String, b
                            Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8)))),
                        scope_metrics Array(Tuple(metrics Array(Tuple(
                            name String, description String, unit String,
                            gauge Tuple(data_points Array(Tuple(time_unix_nano UInt64, as_double Float64, as_int Int64, is UInt8, flags UInt32,
                                attributes Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s
                                String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s
                                String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String,
                                is UInt8))),
                                exemplars Array(Tuple(time_unix_nano UInt64, as_double Float64, as_int Int64, is UInt8, trace_id String,
                                span_id String, filtered_attributes Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v
                                Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v
                                Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b
                                Bool, i Int64, d Float64, y String, is UInt8)))))))),
                            sum Tuple(aggregation_temporality Int32, is_monotonic Bool,
                                data_points Array(Tuple(time_unix_nano UInt64, as_double Float64, as_int Int64, is UInt8, flags UInt32,
                                attributes Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s
                                String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s
                                String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String,
                                is UInt8))),
                                exemplars Array(Tuple(time_unix_nano UInt64, as_double Float64, as_int Int64, is UInt8, trace_id String,
                                span_id String, filtered_attributes Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v
                                Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v
                                Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b
                                Bool, i Int64, d Float64, y String, is UInt8)))))))),
                            histogram Tuple(aggregation_temporality Int32, data_points Array(Tuple(time_unix_nano UInt64, count UInt64,
                                sum Nullable(Float64), bucket_counts Array(UInt64), explicit_bounds Array(Float64),
                                attributes Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s
                                String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s
                                String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String,
                                is UInt8))),
                                exemplars Array(Tuple(time_unix_nano UInt64, as_double Float64, as_int Int64, is UInt8, trace_id String,
                                span_id String, filtered_attributes Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v
                                Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v
                                Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b
                                Bool, i Int64, d Float64, y String, is UInt8)))))))),
                            exponential_histogram Tuple(aggregation_temporality Int32, data_points Array(Tuple(time_unix_nano UInt64, count UInt64,
                                sum Nullable(Float64), scale Int32, zero_count UInt64, zero_threshold Float64,
                                positive Tuple(offset Int32, bucket_counts Array(UInt64)), negative Tuple(offset Int32, bucket_counts Array(UInt64)),
                                attributes Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s
                                String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s
                                String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String,
                                is UInt8))),
                                exemplars Array(Tuple(time_unix_nano UInt64, as_double Float64, as_int Int64, is UInt8, trace_id String,
                                span_id String, filtered_attributes Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v
                                Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v
                                Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b
                                Bool, i Int64, d Float64, y String, is UInt8)))))))),
                            summary Tuple(data_points Array(Tuple(time_unix_nano UInt64, count UInt64, sum Float64,
                                quantile_values Array(Tuple(quantile Float64, value Float64)),
                                attributes Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s
                                String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s
                                String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String,
                                is UInt8))))))
                            )))))))')
                    ARRAY JOIN body.resource_metrics AS resource_metrics
                )
            )
        )
        ARRAY JOIN scopes AS scope_metrics
        ARRAY JOIN scope_metrics.metrics AS metric
    ),
    points AS
    (
        SELECT
            received_ns, service, env, original_name, help, otel_unit, type, temporality,
            splitByChar('/', replaceRegexpAll(otel_unit, '[{][^}]*[}]', '')) AS unit_parts,
            transform(unit_parts[1], ucum, unit_words, replaceRegexpAll(unit_parts[1], '[^a-zA-Z0-9]+', '_')) AS unit_word,
            if(length(unit_parts) = 2, concat(if(unit_word = '', 'per_', '_per_'), transform(unit_parts[2], per_ucum, per_words, unit_parts[2])), '') AS unit_per,
            if(concat(otel_unit, type) = '1gauge', 'ratio', concat(unit_word, unit_per)) AS unit_name,
            trimRight(replaceRegexpOne(label_name(original_name), if(type = 'counter', '_total$', '$^'), ''), '_') AS bare_name,
            concat(bare_name, multiIf(unit_name = '', '', endsWith(bare_name, unit_name), '', concat('_', unit_name)), if(type = 'counter', '_total', '')) AS family,
            toInt64(intDiv(data_point.2, 1000000)) AS claimed_ms,
            intDiv(received_ns, 1000000) AS received_ms,
            fromUnixTimestamp64Milli(multiIf(claimed_ms < received_ms - {retention_days:UInt16} * 86400000, received_ms,
                                             claimed_ms > received_ms + 600000, received_ms, claimed_ms), 'UTC') AS sampled_at,
            arraySort(arrayConcat(identity, arrayMap(x -> (label_name(x.1), x.2), pairs(data_point.1)))) AS point_labels,
            data_point.3 AS values,
            data_point.4 AS point_exemplars
        FROM metrics
        ARRAY JOIN data_points AS data_point
    ),
    samples AS
    (
        SELECT
            service, env, original_name, help, unit_name, type, temporality, sampled_at, point_labels, value.2 AS label, value.3 AS label_value,
            concat(family, value.1) AS series_name, value.4 AS sample,
            cityHash64(service, env, series_name, type, temporality, point_labels, label, label_value) AS series_id
        FROM points
        ARRAY JOIN values AS value
    )
SELECT
    cityHash64(service, env, concat(family, home.1), type, temporality, point_labels, home.2, home.3) AS series_id,
    multiIf(exemplar_ms < received_ms - {retention_days:UInt16} * 86400000, sampled_at, exemplar_ms > received_ms + 600000, sampled_at,
            fromUnixTimestamp64Milli(exemplar_ms, 'UTC')) AS at,
    exemplar.2 AS value,
    exemplar.3 AS trace_id,
    exemplar.4 AS span_id,
    CAST(arrayMap(x -> (label_name(x.1), x.2), pairs(exemplar.5)), 'Map(LowCardinality(String), String)') AS labels,
    {retention_days:UInt16} AS retention_days
FROM
(
    SELECT
        service, env, family, type, temporality, point_labels, sampled_at, received_ms, exemplar, toInt64(intDiv(exemplar.1, 1000000)) AS exemplar_ms,
        arrayFirst(x -> if(x.2 = '', true, toFloat64OrZero(x.3) >= exemplar.2), values) AS home
    FROM points
    ARRAY JOIN point_exemplars AS exemplar
)
SETTINGS input_format_protobuf_oneof_presence = 1, output_format_json_escape_forward_slashes = 0, output_format_json_quote_64bit_integers = 0,
         output_format_json_quote_denormals = 1, output_format_json_named_tuples_as_objects = 1, short_circuit_function_evaluation = 'force_enable',
         query_plan_enable_optimizations = 0
