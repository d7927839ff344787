-- What the two statements of this folder share: from the request to `samples`, one row per sample with its series.
WITH
-- include ../_retention.sql
    -- An AnyValue is a tuple; its `is` is the number of the branch that was set: 1 s(tring), 2 b(ool), 3 i(nt), 4 d(ouble), 5 a(rray), 6 m(ap),
    -- 7 y (bytes), 0 none. json4 writes one that lies in a container as JSON; text is what one stands for by itself.
    v -> ['null', toJSONString(v.s), toJSONString(v.b), toJSONString(v.i), toJSONString(v.d), '', '', toJSONString(base64Encode(v.y))][v.is + 1] AS scalar,
    v -> arrayConcat(arrayMap(x -> ('', x), v.`a.v`), arrayMap(x -> (concat(toJSONString(x.k), ':'), x.v), v.`m.v`)) AS members,
    (v, texts) -> concat(if(v.is = 5, '[', '{'), arrayStringConcat(texts, ','), if(v.is = 5, ']', '}')) AS joined,
    v -> if(v.is IN (5, 6), concat('{"fuseboard.protobuf":"', lower(hex(concat(v.a, v.m))), '"}'), scalar(v)) AS json4,
    v -> joined(v, arrayMap(x -> concat(x.1, json4(x.2)), members(v))) AS container3,
    v -> multiIf(v.is = 1, v.s, v.is = 3, toString(v.i), v.is = 2, toString(v.b), v.is = 4, toString(v.d), v.is = 7, base64Encode(v.y),
                 v.is = 0, '', container3(v)) AS text,
    pairs -> arrayMap(x -> (x.k, text(x.v)), pairs) AS texts,
-- include ../_otlp_names.sql
    ,
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
                                    [('_count', '', '', toFloat64(x.count)), ('_sum', '', '', x.sum)]), CAST([], 'Array(Tuple(UInt64, Float64, String, String, Array(Tuple(String, String))))')), d) AS summaries,
    metrics AS
    (
        SELECT
            received_ns, service, env, retention_days, identity, metric.name AS original_name, metric.description AS help, metric.unit AS otel_unit,
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
                multiIf(has(envs, claimed_env), claimed_env, notEmpty(envs), envs[1], claimed_env) AS env, kept(service, env) AS retention_days,
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
                        mapUpdate(resource, CAST(texts(resource_metrics.resource.attributes), 'Map(String, String)')) AS claimed_resource
                    FROM segment('body Tuple(resource_metrics Array(Tuple(
                        resource Tuple(
                            attributes Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v` Array(Tuple(s
                              String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)), `m.v` Array(Tuple(k String, v
                              Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8))), is UInt8)))),
                        scope_metrics Array(Tuple(metrics Array(Tuple(
                            name String, description String, unit String,
                            gauge Tuple(data_points Array(Tuple(time_unix_nano UInt64, as_double Float64, as_int Int64, is UInt8, flags UInt32,
                                attributes Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v`
                                  Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)), `m.v`
                                  Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is
                                  UInt8))), is UInt8))),
                                exemplars Array(Tuple(time_unix_nano UInt64, as_double Float64, as_int Int64, is UInt8, trace_id String,
                                span_id String, filtered_attributes Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y
                                  String, `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)),
                                  `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is
                                  UInt8))), is UInt8)))))))),
                            sum Tuple(aggregation_temporality Int32, is_monotonic Bool,
                                data_points Array(Tuple(time_unix_nano UInt64, as_double Float64, as_int Int64, is UInt8, flags UInt32,
                                attributes Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v`
                                  Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)), `m.v`
                                  Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is
                                  UInt8))), is UInt8))),
                                exemplars Array(Tuple(time_unix_nano UInt64, as_double Float64, as_int Int64, is UInt8, trace_id String,
                                span_id String, filtered_attributes Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y
                                  String, `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)),
                                  `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is
                                  UInt8))), is UInt8)))))))),
                            histogram Tuple(aggregation_temporality Int32, data_points Array(Tuple(time_unix_nano UInt64, count UInt64,
                                sum Nullable(Float64), bucket_counts Array(UInt64), explicit_bounds Array(Float64),
                                attributes Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v`
                                  Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)), `m.v`
                                  Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is
                                  UInt8))), is UInt8))),
                                exemplars Array(Tuple(time_unix_nano UInt64, as_double Float64, as_int Int64, is UInt8, trace_id String,
                                span_id String, filtered_attributes Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y
                                  String, `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)),
                                  `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is
                                  UInt8))), is UInt8)))))))),
                            exponential_histogram Tuple(aggregation_temporality Int32, data_points Array(Tuple(time_unix_nano UInt64, count UInt64,
                                sum Nullable(Float64), scale Int32, zero_count UInt64, zero_threshold Float64,
                                positive Tuple(offset Int32, bucket_counts Array(UInt64)), negative Tuple(offset Int32, bucket_counts Array(UInt64)),
                                attributes Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v`
                                  Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)), `m.v`
                                  Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is
                                  UInt8))), is UInt8))),
                                exemplars Array(Tuple(time_unix_nano UInt64, as_double Float64, as_int Int64, is UInt8, trace_id String,
                                span_id String, filtered_attributes Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y
                                  String, `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)),
                                  `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is
                                  UInt8))), is UInt8)))))))),
                            summary Tuple(data_points Array(Tuple(time_unix_nano UInt64, count UInt64, sum Float64,
                                quantile_values Array(Tuple(quantile Float64, value Float64)),
                                attributes Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v`
                                  Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)), `m.v`
                                  Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is
                                  UInt8))), is UInt8))))))
                            )))))))')
                    ARRAY JOIN body.resource_metrics AS resource_metrics
                )
            )
        )
        ARRAY JOIN scopes AS scope_metrics
        ARRAY JOIN scope_metrics.metrics AS metric
    ),
-- include ../_otlp_points.sql
