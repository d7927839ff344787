-- What the two statements of this folder share: from the request to `samples`, one row per sample with its series.
WITH
-- include ../_retention.sql
-- include ../_otlp_json.sql
    ,
-- include ../_otlp_names.sql
    ,
    e -> arrayMap(x -> (x.timeUnixNano, if(x.asInt IS NULL, x.asDouble, toFloat64(assumeNotNull(x.asInt))), lower(x.traceId), lower(x.spanId), texts(x.filteredAttributes)), e) AS exemplar_rows,
    -- A data point: attributes, time, the samples it stands for as (suffix, label, label's value, value), exemplars.
    d -> arrayMap(x -> (texts(x.attributes), x.timeUnixNano,
                        [('', '', '', multiIf(bitTest(x.flags, 0), nan, x.asInt IS NULL, x.asDouble, toFloat64(assumeNotNull(x.asInt))))],
                        exemplar_rows(x.exemplars)), d) AS numbers,
    d -> arrayMap(x -> (texts(x.attributes), x.timeUnixNano,
                        arrayConcat(if(empty(x.bucketCounts), [('_bucket', 'le', '+Inf', toFloat64(x.count))], buckets(x.explicitBounds, x.bucketCounts)),
                                    [('_count', '', '', toFloat64(x.count))], if(x.sum IS NULL, [], [('_sum', '', '', assumeNotNull(x.sum))])),
                        exemplar_rows(x.exemplars)), d) AS histograms,
    -- Bounds of an exponential histogram: bucket i of scale s ends at 2^((offset + i + 1) / 2^s); negative ones come first, from far to near.
    d -> arrayConcat(
        arrayMap(i -> -exp2((d.negative.offset + i - 1) / exp2(d.scale)), arrayReverse(arrayEnumerate(d.negative.bucketCounts))),
        [d.zeroThreshold],
        arrayMap(i -> exp2((d.positive.offset + i) / exp2(d.scale)), arrayEnumerate(d.positive.bucketCounts))) AS exponential_bounds,
    d -> arrayMap(x -> (texts(x.attributes), x.timeUnixNano,
                        arrayConcat(buckets(exponential_bounds(x),
                                            arrayConcat(arrayReverse(x.negative.bucketCounts), [x.zeroCount], x.positive.bucketCounts)),
                                    [('_count', '', '', toFloat64(x.count))], if(x.sum IS NULL, [], [('_sum', '', '', assumeNotNull(x.sum))])),
                        exemplar_rows(x.exemplars)), d) AS exponentials,
    d -> arrayMap(x -> (texts(x.attributes), x.timeUnixNano,
                        arrayConcat(arrayMap(q -> ('', 'quantile', toString(q.quantile), q.value), x.quantileValues),
                                    [('_count', '', '', toFloat64(x.count)), ('_sum', '', '', x.sum)]), CAST([], 'Array(Tuple(UInt64, Float64, String, String, Array(Tuple(String, String))))')), d) AS summaries,
    metrics AS
    (
        SELECT
            received_ns, service, env, retention_days, identity, metric.name AS original_name, metric.description AS help, metric.unit AS otel_unit,
            multiIf(notEmpty(metric.sum.dataPoints), if(metric.sum.isMonotonic, 'counter', 'gauge'), notEmpty(metric.histogram.dataPoints), 'histogram',
                    notEmpty(metric.exponentialHistogram.dataPoints), 'histogram', notEmpty(metric.summary.dataPoints), 'summary', 'gauge') AS type,
            -- An enum is its number, or its name as Protobuf's own JSON writes it.
            concat(metric.sum.aggregationTemporality, metric.histogram.aggregationTemporality, metric.exponentialHistogram.aggregationTemporality) AS told,
            multiIf(type = 'summary', 'cumulative', told = '1' OR endsWith(told, 'DELTA'), 'delta', told = '2' OR endsWith(told, 'CUMULATIVE'), 'cumulative', '') AS temporality,
            arrayConcat(numbers(metric.gauge.dataPoints), numbers(metric.sum.dataPoints), histograms(metric.histogram.dataPoints),
                        exponentials(metric.exponentialHistogram.dataPoints), summaries(metric.summary.dataPoints)) AS data_points
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
                        toInt64(received_at) AS received_ns, services, envs, sender.scopeMetrics AS scopes,
                        mapUpdate(resource, CAST(texts(sender.resource.attributes), 'Map(String, String)')) AS claimed_resource
                    FROM
                    (
                        SELECT *, JSONExtract(body, 'resourceMetrics', 'Array(Tuple(
                            resource Tuple(attributes Array(Tuple(key String, value String))),
                            scopeMetrics Array(Tuple(metrics Array(Tuple(
                                name String, description String, unit String,
                                gauge Tuple(dataPoints Array(Tuple(timeUnixNano UInt64, asDouble Float64, asInt Nullable(Int64), flags UInt32,
                                    attributes Array(Tuple(key String, value String)),
                                    exemplars Array(Tuple(timeUnixNano UInt64, asDouble Float64, asInt Nullable(Int64), traceId String, spanId String,
                                        filteredAttributes Array(Tuple(key String, value String))))))),
                                sum Tuple(aggregationTemporality String, isMonotonic Bool,
                                    dataPoints Array(Tuple(timeUnixNano UInt64, asDouble Float64, asInt Nullable(Int64), flags UInt32,
                                    attributes Array(Tuple(key String, value String)),
                                    exemplars Array(Tuple(timeUnixNano UInt64, asDouble Float64, asInt Nullable(Int64), traceId String, spanId String,
                                        filteredAttributes Array(Tuple(key String, value String))))))),
                                histogram Tuple(aggregationTemporality String,
                                    dataPoints Array(Tuple(timeUnixNano UInt64, count UInt64, sum Nullable(Float64), bucketCounts Array(UInt64), explicitBounds Array(Float64),
                                    attributes Array(Tuple(key String, value String)),
                                    exemplars Array(Tuple(timeUnixNano UInt64, asDouble Float64, asInt Nullable(Int64), traceId String, spanId String,
                                        filteredAttributes Array(Tuple(key String, value String))))))),
                                exponentialHistogram Tuple(aggregationTemporality String,
                                    dataPoints Array(Tuple(timeUnixNano UInt64, count UInt64, sum Nullable(Float64), scale Int32, zeroCount UInt64, zeroThreshold Float64,
                                    positive Tuple(offset Int32, bucketCounts Array(UInt64)), negative Tuple(offset Int32, bucketCounts Array(UInt64)),
                                    attributes Array(Tuple(key String, value String)),
                                    exemplars Array(Tuple(timeUnixNano UInt64, asDouble Float64, asInt Nullable(Int64), traceId String, spanId String,
                                        filteredAttributes Array(Tuple(key String, value String))))))),
                                summary Tuple(
                                    dataPoints Array(Tuple(timeUnixNano UInt64, count UInt64, sum Float64, quantileValues Array(Tuple(quantile Float64, value Float64)),
                                    attributes Array(Tuple(key String, value String)))))))))))') AS senders
                        FROM segment('body String')
                        -- What was accepted and cannot be read must not become no rows: it is refused, found and quarantined.
                        WHERE throwIf(NOT isValidJSON(body), 'the body is not JSON to ClickHouse') = 0
                    )
                    ARRAY JOIN senders AS sender
                )
            )
        )
        ARRAY JOIN scopes AS scope_metrics
        ARRAY JOIN scope_metrics.metrics AS metric
    ),
-- include ../_otlp_points.sql
