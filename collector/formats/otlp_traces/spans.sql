-- Spans of ExportTraceServiceRequest -> spans.
INSERT INTO spans (start, duration_ns, trace_id, span_id, parent_span_id, trace_state, service, env, name, kind, status, status_message,
                   attributes, resource, scope_name, scope_version, events, links, observed_at, batch_id, retention_days)
WITH
-- include ../_retention.sql
    -- An AnyValue is a tuple; its `is` is the number of the branch that was set: 1 s(tring), 2 b(ool), 3 i(nt), 4 d(ouble), 5 a(rray), 6 m(ap),
    -- 7 y (bytes), 0 none. json2 … json4 write one that lies 2 … 4 deep as JSON; text1 and text3 are what one stands for by itself.
    v -> ['null', toJSONString(v.s), toJSONString(v.b), toJSONString(v.i), toJSONString(v.d), '', '', toJSONString(base64Encode(v.y))][v.is + 1] AS scalar,
    v -> arrayConcat(arrayMap(x -> ('', x), v.`a.v`), arrayMap(x -> (concat(toJSONString(x.k), ':'), x.v), v.`m.v`)) AS members,
    (v, texts) -> concat(if(v.is = 5, '[', '{'), arrayStringConcat(texts, ','), if(v.is = 5, ']', '}')) AS joined,
    v -> if(v.is IN (5, 6), concat('{"fuseboard.protobuf":"', lower(hex(concat(v.a, v.m))), '"}'), scalar(v)) AS json4,
    v -> joined(v, arrayMap(x -> concat(x.1, json4(x.2)), members(v))) AS container3,
    v -> if(v.is IN (5, 6), container3(v), scalar(v)) AS json3,
    v -> joined(v, arrayMap(x -> concat(x.1, json3(x.2)), members(v))) AS container2,
    v -> if(v.is IN (5, 6), container2(v), scalar(v)) AS json2,
    v -> joined(v, arrayMap(x -> concat(x.1, json2(x.2)), members(v))) AS container1,
    (v, container) -> multiIf(v.is = 1, v.s, v.is = 3, toString(v.i), v.is = 2, toString(v.b), v.is = 4, toString(v.d), v.is = 7, base64Encode(v.y),
                              v.is = 0, '', container) AS text,
    pairs -> arrayMap(x -> (x.k, text(x.v, container3(x.v))), pairs) AS texts,
    -- (key, text, is it a map): each map becomes a pair per member, its key joined to theirs with a dot.
    t -> if(startsWith(t, '"'), JSONExtractString(t), if(t = 'null', '', t)) AS leaf,
    pairs -> arrayFlatten(arrayMap(x -> if(x.3, arrayMap(y -> (concat(x.1, '.', y.1), leaf(y.2), startsWith(y.2, '{"')), JSONExtractKeysAndValuesRaw(x.2)),
                                           [x]), pairs)) AS opened,
    t -> if(length(t) = 16, replaceOne(lower(hex(t)), repeat('0', 32), ''), '') AS trace_hex,
    t -> if(length(t) = 8, replaceOne(lower(hex(t)), repeat('0', 16), ''), '') AS span_hex,
    (k, n) -> if(n > 0, [(k, toString(n))], []) AS counted
SELECT
    fromUnixTimestamp64Nano(start_ns, 'UTC') AS start,
    if(end_time > start_time, end_time - start_time, 0) AS duration_ns,
    trace_hex(span.trace_id) AS trace_id,
    span_hex(span.span_id) AS span_id,
    span_hex(span.parent_span_id) AS parent_span_id,
    span.trace_state AS trace_state,
    service,
    env,
    span.name AS name,
    transform(span.kind, [1, 2, 3, 4, 5], ['internal', 'server', 'client', 'producer', 'consumer'], 'internal') AS kind,
    transform(span.status.code, [1, 2], ['ok', 'error'], 'unset') AS status,
    span.status.message AS status_message,
    CAST(arrayConcat(
        arrayMap(x -> (x.1, x.2), if(arrayExists(x -> x.3, own), opened(opened(opened(own))), own)),
        if(start_ns = start_time, [], [('fuseboard.original_time', toString(start_time))]),
        if(end_time < start_time, [('fuseboard.original_end', toString(end_time))], []),
        counted('otel.dropped_attributes_count', span.dropped_attributes_count),
        counted('otel.dropped_events_count', span.dropped_events_count),
        counted('otel.dropped_links_count', span.dropped_links_count),
        arrayMap(x -> (concat('otel.scope.', x.1), x.2), others[1]),
        counted('otel.scope.dropped_attributes_count', scope_dropped)), 'Map(LowCardinality(String), String)') AS attributes,
    resource,
    scope_name,
    scope_version,
    arrayMap((e, pairs) -> (
        fromUnixTimestamp64Nano(if(e.1 BETWEEN oldest_ns AND newest_ns, e.1, start_ns), 'UTC'),
        e.2,
        CAST(arrayConcat(pairs, counted('otel.dropped_attributes_count', e.3),
            if(e.1 BETWEEN oldest_ns AND newest_ns, [], [('fuseboard.original_time', toString(toUInt64(e.1)))])), 'Map(String, String)')),
        events_told, arraySlice(others, 2, length(events_told))) AS events,
    arrayMap((l, pairs) -> (
        trace_hex(l.1), span_hex(l.2), l.3,
        CAST(arrayConcat(pairs, counted('otel.dropped_attributes_count', l.4)), 'Map(String, String)')),
        links_told, arraySlice(others, length(events_told) + 2)) AS links,
    fromUnixTimestamp64Nano(received_ns, 'UTC') AS observed_at,
    batch_id,
    retention_days
FROM
(
    SELECT
        *,
        received_ns - retention_days * 86400000000000 AS oldest_ns,
        received_ns + 600000000000 AS newest_ns,
        if(toInt64(start_time) BETWEEN oldest_ns AND newest_ns, toInt64(start_time), received_ns) AS start_ns
    FROM
    (
        SELECT
            batch_id, received_ns, service, env, retention_days, resource, scope_name, scope_version, scope_dropped,
            span.trace_id, span.span_id, span.parent_span_id, span.trace_state, span.name, span.kind, span.status.code, span.status.message,
            span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count,
            span.start_time_unix_nano AS start_time, span.end_time_unix_nano AS end_time,
            arrayMap(x -> (x.k, text(x.v, container1(x.v)), notEmpty(x.v.`m.v`)), span.attributes) AS own,
            arrayMap(e -> (toInt64(e.time_unix_nano), e.name, e.dropped_attributes_count), span.events) AS events_told,
            arrayMap(l -> (l.trace_id, l.span_id, l.trace_state, l.dropped_attributes_count), span.links) AS links_told,
            arrayMap(pairs -> texts(pairs), arrayConcat([scope_attributes], arrayMap(e -> e.attributes, span.events), arrayMap(l -> l.attributes, span.links))) AS others
        FROM
        (
            SELECT batch_id, received_ns, service, env, retention_days, resource, scope_name, scope_version, scope_attributes, scope_dropped, untuple(span) AS span
            FROM
            (
                SELECT
                    batch_id, received_ns, service, env, retention_days, resource, tupleElement(scope, 'scope.name') AS scope_name, tupleElement(scope, 'scope.version') AS scope_version,
                    tupleElement(scope, 'scope.attributes') AS scope_attributes, tupleElement(scope, 'scope.dropped_attributes_count') AS scope_dropped,
                    tupleElement(scope, 'spans') AS spans
                FROM
                (
                    SELECT
                        batch_id, received_ns, scopes,
                        multiIf(has(services, claimed_service), claimed_service, notEmpty(services), services[1],
                                claimed_service = '', 'unknown_service', claimed_service) AS service,
                        multiIf(has(envs, claimed_env), claimed_env, notEmpty(envs), envs[1], claimed_env) AS env, kept(service, env) AS retention_days,
                        CAST(mapUpdate(claimed_resource, mapConcat(
                            if(claimed_service IN ('', service), map(), map('service.name', service, 'fuseboard.service_overridden', claimed_service)),
                            if(claimed_env IN ('', env), map(), map('deployment.environment.name', env, 'fuseboard.env_overridden', claimed_env)))),
                            'Map(LowCardinality(String), String)') AS resource
                    FROM
                    (
                        SELECT
                            *, claimed_resource['service.name'] AS claimed_service,
                            coalesce(nullIf(claimed_resource['deployment.environment.name'], ''), claimed_resource['deployment.environment']) AS claimed_env
                        FROM
                        (
                            SELECT
                                batch_id, toInt64(received_at) AS received_ns, services, envs, tupleElement(sender, 'scope_spans') AS scopes,
                                mapUpdate(resource, CAST(arrayConcat(
                                    texts(tupleElement(sender, 'resource.attributes')),
                                    counted('otel.resource.dropped_attributes_count', tupleElement(sender, 'resource.dropped_attributes_count'))),
                                    'Map(String, String)')) AS claimed_resource
                            FROM segment('`body.resource_spans` Array(Tuple(
                                `resource.attributes` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String,
                                  `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)), `m.v`
                                  Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is
                                  UInt8))), is UInt8))),
                                `resource.dropped_attributes_count` UInt32,
                                scope_spans Array(Tuple(
                                    `scope.name` String, `scope.version` String, `scope.dropped_attributes_count` UInt32,
                                    `scope.attributes` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String,
                                      `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)),
                                      `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m
                                      String, is UInt8))), is UInt8))),
                                    spans Array(Tuple(
                                        trace_id String, span_id String, parent_span_id String, trace_state String, name String, kind Int32,
                                        start_time_unix_nano UInt64, end_time_unix_nano UInt64, `status.code` Int32, `status.message` String,
                                        dropped_attributes_count UInt32, dropped_events_count UInt32, dropped_links_count UInt32,
                                        attributes Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v`
                                          Array(Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v` Array(Tuple(s String, b Bool,
                                          i Int64, d Float64, y String, `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64, y String,
                                          a String, m String, is UInt8)), `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d
                                          Float64, y String, a String, m String, is UInt8))), is UInt8)), `m.v` Array(Tuple(k String, v
                                          Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v` Array(Tuple(s String, b Bool, i
                                          Int64, d Float64, y String, a String, m String, is UInt8)), `m.v` Array(Tuple(k String, v
                                          Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8))), is
                                          UInt8))), is UInt8)), `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64,
                                          y String, `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v` Array(Tuple(s
                                          String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)), `m.v`
                                          Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m
                                          String, is UInt8))), is UInt8)), `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64,
                                          d Float64, y String, `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String,
                                          m String, is UInt8)), `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64,
                                          y String, a String, m String, is UInt8))), is UInt8))), is UInt8))), is UInt8))),
                                        events Array(Tuple(
                                            time_unix_nano UInt64, name String, dropped_attributes_count UInt32,
                                            attributes Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String,
                                              `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is
                                              UInt8)), `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String,
                                              a String, m String, is UInt8))), is UInt8))))),
                                        links Array(Tuple(
                                            trace_id String, span_id String, trace_state String, dropped_attributes_count UInt32,
                                            attributes Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String,
                                              `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is
                                              UInt8)), `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String,
                                              a String, m String, is UInt8))), is UInt8)))))))))))')
                            ARRAY JOIN `body.resource_spans` AS sender
                        )
                    )
                )
                ARRAY JOIN scopes AS scope
            )
            ARRAY JOIN spans AS span
        )
    )
)
SETTINGS input_format_protobuf_oneof_presence = 1, output_format_json_escape_forward_slashes = 0, output_format_json_quote_64bit_integers = 0,
         output_format_json_quote_denormals = 1, short_circuit_function_evaluation = 'force_enable', query_plan_enable_optimizations = 0,
         compile_expressions = 0
