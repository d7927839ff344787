-- Spans of ExportTraceServiceRequest -> spans.
INSERT INTO spans (start, duration_ns, trace_id, span_id, parent_span_id, trace_state, service, env, name, kind, status, status_message,
                   attributes, resource, scope_name, scope_version, events, links, observed_at, batch_id, retention_days)
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
    t -> multiIf(length(t) != 16, '', t = unhex('00000000000000000000000000000000'), '', lower(hex(t))) AS trace_hex,
    t -> multiIf(length(t) != 8, '', t = unhex('0000000000000000'), '', lower(hex(t))) AS span_hex,
    (k, n) -> if(n > 0, [(k, toString(n))], []) AS counted
SELECT
    fromUnixTimestamp64Nano(start_ns, 'UTC') AS start,
    if(end_time > start_time, end_time - start_time, 0) AS duration_ns,
    trace_id, span_id, parent_span_id, trace_state, service, env, name,
    transform(kind_number, [1, 2, 3, 4, 5], ['internal', 'server', 'client', 'producer', 'consumer'], 'internal') AS kind,
    transform(status_code, [1, 2], ['ok', 'error'], 'unset') AS status,
    status_message,
    CAST(arrayConcat(
        pairs(attribute_texts),
        if(start_ns = start_time, [], [('fuseboard.original_time', toString(start_time))]),
        if(end_time < start_time, [('fuseboard.original_end', toString(end_time))], []),
        counted('otel.dropped_attributes_count', dropped_attributes), counted('otel.dropped_events_count', dropped_events),
        counted('otel.dropped_links_count', dropped_links), scope_pairs), 'Map(LowCardinality(String), String)') AS attributes,
    CAST(resource, 'Map(LowCardinality(String), String)') AS resource,
    scope_name,
    scope_version,
    arrayMap(e -> (
        fromUnixTimestamp64Nano(if(toInt64(e.1) < oldest_ns, start_ns, if(toInt64(e.1) > newest_ns, start_ns, toInt64(e.1))), 'UTC'),
        e.2,
        CAST(arrayConcat(pairs(e.3), counted('otel.dropped_attributes_count', e.4),
            multiIf(toInt64(e.1) < oldest_ns, [('fuseboard.original_time', toString(e.1))],
                    toInt64(e.1) > newest_ns, [('fuseboard.original_time', toString(e.1))], [])), 'Map(String, String)')), event_texts) AS events,
    arrayMap(l -> (l.1, l.2, l.3, CAST(arrayConcat(pairs(l.4), counted('otel.dropped_attributes_count', l.5)), 'Map(String, String)')),
             link_texts) AS links,
    fromUnixTimestamp64Nano(received_ns, 'UTC') AS observed_at,
    batch_id,
    {retention_days:UInt16} AS retention_days
FROM
(
    SELECT
        *,
        received_ns - {retention_days:UInt16} * 86400000000000 AS oldest_ns,
        received_ns + 600000000000 AS newest_ns,
        multiIf(toInt64(start_time) < oldest_ns, received_ns, toInt64(start_time) > newest_ns, received_ns, toInt64(start_time)) AS start_ns
    FROM
    (
        SELECT
            batch_id, received_ns, service, env, resource, scope_name, scope_version, scope_pairs,
            trace_hex(span.trace_id) AS trace_id, span_hex(span.span_id) AS span_id, span_hex(span.parent_span_id) AS parent_span_id,
            span.trace_state AS trace_state, span.name AS name, span.kind AS kind_number, span.start_time_unix_nano AS start_time,
            span.end_time_unix_nano AS end_time, span.status.code AS status_code, span.status.message AS status_message,
            texts(span.attributes) AS attribute_texts, span.dropped_attributes_count AS dropped_attributes,
            arrayMap(e -> (e.time_unix_nano, e.name, texts(e.attributes), e.dropped_attributes_count), span.events) AS event_texts,
            span.dropped_events_count AS dropped_events,
            arrayMap(l -> (trace_hex(l.trace_id), span_hex(l.span_id), l.trace_state, texts(l.attributes), l.dropped_attributes_count),
                     span.links) AS link_texts,
            span.dropped_links_count AS dropped_links
        FROM
        (
            SELECT
                batch_id, received_ns, spans, scope_name, scope_version,
                multiIf(has(services, claimed_service), claimed_service, notEmpty(services), services[1],
                        claimed_service = '', 'unknown_service', claimed_service) AS service,
                multiIf(has(envs, claimed_env), claimed_env, notEmpty(envs), envs[1], claimed_env) AS env,
                mapUpdate(claimed_resource, mapConcat(
                    if(claimed_service IN ('', service), map(), map('service.name', service, 'fuseboard.service_overridden', claimed_service)),
                    if(claimed_env IN ('', env), map(), map('deployment.environment.name', env, 'fuseboard.env_overridden', claimed_env)))) AS resource,
                arrayConcat(
                    arrayMap(x -> (concat('otel.scope.', x.1), x.2), pairs(scope_texts)),
                    if(scope_dropped > 0, [('otel.scope.dropped_attributes_count', toString(scope_dropped))], [])) AS scope_pairs
            FROM
            (
                SELECT
                    batch_id, received_ns, services, envs, claimed_resource,
                    claimed_resource['service.name'] AS claimed_service,
                    coalesce(nullIf(claimed_resource['deployment.environment.name'], ''), claimed_resource['deployment.environment']) AS claimed_env,
                    scope_spans.spans AS spans, scope_spans.scope.name AS scope_name, scope_spans.scope.version AS scope_version,
                    texts(scope_spans.scope.attributes) AS scope_texts, scope_spans.scope.dropped_attributes_count AS scope_dropped
                FROM
                (
                    SELECT
                        batch_id, received_ns, services, envs, resource_spans.scope_spans AS scopes,
                        mapUpdate(declared, CAST(arrayConcat(pairs(texts(resource_spans.resource.attributes)),
                            if(resource_spans.resource.dropped_attributes_count > 0,
                               [('otel.resource.dropped_attributes_count', toString(resource_spans.resource.dropped_attributes_count))], [])),
                            'Map(String, String)')) AS claimed_resource
                    FROM
                    (
                        SELECT batch_id, toInt64(received_at) AS received_ns, services, envs, resource AS declared, body
                        FROM segment('body Tuple(resource_spans Array(Tuple(
                            resource Tuple(
                                attributes Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k
                                String, v Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a
                                Tuple(v Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8))), s
                                String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m Tuple(v Array(Tuple(k
                                String, v Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a
                                Tuple(v Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8))), s
                                String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String,
                                is UInt8))),
                                dropped_attributes_count UInt32),
                            scope_spans Array(Tuple(
                                scope Tuple(name String, version String,
                                    attributes Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m Tuple(v
                                    Array(Tuple(k String, v Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is
                                    UInt8)))), a Tuple(v Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String,
                                    is UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m
                                    Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y
                                    String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64,
                                    y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool,
                                    i Int64, d Float64, y String, is UInt8))),
                                    dropped_attributes_count UInt32),
                                spans Array(Tuple(
                                    trace_id String, span_id String, trace_state String, parent_span_id String, name String, kind Int32,
                                    start_time_unix_nano UInt64, end_time_unix_nano UInt64,
                                    attributes Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m Tuple(v
                                    Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s String, b
                                    Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s String,
                                    b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is
                                    UInt8)))), a Tuple(v Array(Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s String,
                                    b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s
                                    String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y
                                    String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v
                                    Array(Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m String,
                                    a String, s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m
                                    String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i
                                    Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m Tuple(v Array(Tuple(k String, v
                                    Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v
                                    Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8))), s String,
                                    b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is
                                    UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8))),
                                    dropped_attributes_count UInt32,
                                    events Array(Tuple(time_unix_nano UInt64, name String,
                                        attributes Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m Tuple(v
                                        Array(Tuple(k String, v Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String,
                                        is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y
                                        String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v
                                        Array(Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s String, b Bool, i Int64,
                                        d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s String, b Bool, i
                                        Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is
                                        UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8))),
                                        dropped_attributes_count UInt32)),
                                    dropped_events_count UInt32,
                                    links Array(Tuple(trace_id String, span_id String, trace_state String,
                                        attributes Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m Tuple(v
                                        Array(Tuple(k String, v Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String,
                                        is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y
                                        String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v
                                        Array(Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s String, b Bool, i Int64,
                                        d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s String, b Bool, i
                                        Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is
                                        UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8))),
                                        dropped_attributes_count UInt32)),
                                    dropped_links_count UInt32,
                                    status Tuple(message String, code Int32))))))))')
                    )
                    ARRAY JOIN body.resource_spans AS resource_spans
                )
                ARRAY JOIN scopes AS scope_spans
            )
        )
        ARRAY JOIN spans AS span
    )
)
SETTINGS input_format_protobuf_oneof_presence = 1, output_format_json_escape_forward_slashes = 0, output_format_json_quote_64bit_integers = 0,
         output_format_json_quote_denormals = 1, output_format_json_named_tuples_as_objects = 1, short_circuit_function_evaluation = 'force_enable',
         query_plan_enable_optimizations = 0
