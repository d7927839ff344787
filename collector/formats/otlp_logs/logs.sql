-- Log records of ExportLogsServiceRequest -> logs.
INSERT INTO logs (occurred_at, observed_at, service, env, severity, severity_number, body, trace_id, span_id, attributes, resource,
                  batch_id, line, retention_days)
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
    ['', 'trace', 'debug', 'info', 'warn', 'error', 'fatal'] AS severity_names
SELECT
    fromUnixTimestamp64Nano(if(in_range, claimed_ns, received_ns), 'UTC') AS occurred_at,
    fromUnixTimestamp64Nano(received_ns, 'UTC') AS observed_at,
    service,
    env,
    severity,
    if(numbered, toUInt8(number), if(level = 0, 0, toUInt8(level * 4 - 3))) AS severity_number,
    if(body_is IN (5, 6), json(body_text), body_text) AS body,
    multiIf(length(trace) != 16, '', trace = unhex('00000000000000000000000000000000'), '', lower(hex(trace))) AS trace_id,
    multiIf(length(span) != 8, '', span = unhex('0000000000000000'), '', lower(hex(span))) AS span_id,
    CAST(arrayConcat(
        own,
        if(body_is = 6, arrayFilter(x -> NOT has(own.1, x.1), arrayFlatten(arrayMap(x -> flat1(x.1, x.2), JSONExtractKeysAndValuesRaw(body)))), []),
        if(event_name != '', [('event.name', event_name)], []),
        if(severity_word IN ('', severity), [], [('severity_text', severity_text)]),
        if(in_range, [], [('fuseboard.original_time', toString(claimed))]),
        if(dropped > 0, [('otel.dropped_attributes_count', toString(dropped))], []),
        scope_pairs), 'Map(LowCardinality(String), String)') AS attributes,
    CAST(resource, 'Map(LowCardinality(String), String)') AS resource,
    batch_id,
    line,
    {retention_days:UInt16} AS retention_days
FROM
(
    SELECT
        batch_id, received_ns, service, env, resource, scope_pairs, line, body_is, body_text, trace, span, event_name, severity_text, dropped, number,
        pairs(attribute_texts) AS own,
        multiIf(time_unix_nano != 0, time_unix_nano, observed_time_unix_nano != 0, observed_time_unix_nano, toUInt64(received_ns)) AS claimed,
        toInt64(claimed) AS claimed_ns,
        if(claimed_ns < received_ns - {retention_days:UInt16} * 86400000000000, false, claimed_ns <= received_ns + 600000000000) AS in_range,
        toUInt32(number - 1) < 24 AS numbered,
        lower(severity_text) AS severity_word,
        if(numbered, intDiv(number + 3, 4), transform(left(severity_word, 3),
            ['tra', 'deb', 'inf', 'not', 'war', 'err', 'fat', 'cri', 'ale', 'eme', 'pan'], [1, 2, 3, 3, 4, 5, 6, 6, 6, 6, 6], 0)) AS level,
        severity_names[level + 1] AS severity
    FROM
    (
        SELECT
            batch_id, received_ns, service, env, resource, scope_pairs, first_line + position - 1 AS line,
            texts(record.attributes) AS attribute_texts, text(record.body) AS body_text, record.body.is AS body_is,
            record.trace_id AS trace, record.span_id AS span, record.event_name AS event_name, record.severity_text AS severity_text,
            record.severity_number AS number, record.dropped_attributes_count AS dropped, record.time_unix_nano AS time_unix_nano,
            record.observed_time_unix_nano AS observed_time_unix_nano
        FROM
        (
            SELECT
                batch_id, received_ns, first_line, log_records,
                multiIf(has(services, claimed_service), claimed_service, notEmpty(services), services[1],
                        claimed_service = '', 'unknown_service', claimed_service) AS service,
                multiIf(has(envs, claimed_env), claimed_env, notEmpty(envs), envs[1], claimed_env) AS env,
                mapUpdate(claimed_resource, mapConcat(
                    if(claimed_service IN ('', service), map(), map('service.name', service, 'fuseboard.service_overridden', claimed_service)),
                    if(claimed_env IN ('', env), map(), map('deployment.environment.name', env, 'fuseboard.env_overridden', claimed_env)))) AS resource,
                arrayConcat(
                    if(scope_name != '', [('otel.scope.name', scope_name)], []),
                    if(scope_version != '', [('otel.scope.version', scope_version)], []),
                    arrayMap(x -> (concat('otel.scope.', x.1), x.2), pairs(scope_texts)),
                    if(scope_dropped > 0, [('otel.scope.dropped_attributes_count', toString(scope_dropped))], [])) AS scope_pairs
            FROM
            (
                SELECT
                    batch_id, received_ns, services, envs, first_line, claimed_resource,
                    claimed_resource['service.name'] AS claimed_service,
                    coalesce(nullIf(claimed_resource['deployment.environment.name'], ''), claimed_resource['deployment.environment']) AS claimed_env,
                    scope_logs.log_records AS log_records, scope_logs.scope.name AS scope_name, scope_logs.scope.version AS scope_version,
                    texts(scope_logs.scope.attributes) AS scope_texts, scope_logs.scope.dropped_attributes_count AS scope_dropped
                FROM
                (
                    SELECT
                        batch_id, received_ns, services, envs, resource_logs.scope_logs AS scopes,
                        arrayMap(x -> length(x.log_records), scopes) AS counts,
                        arrayMap((total, n) -> first_line_of_resource + total - n, arrayCumSum(counts), counts) AS first_lines,
                        mapUpdate(declared, CAST(arrayConcat(pairs(texts(resource_logs.resource.attributes)),
                            if(resource_logs.resource.dropped_attributes_count > 0,
                               [('otel.resource.dropped_attributes_count', toString(resource_logs.resource.dropped_attributes_count))], [])),
                            'Map(String, String)')) AS claimed_resource
                    FROM
                    (
                        SELECT
                            batch_id, toInt64(received_at) AS received_ns, services, envs, resource AS declared, body,
                            arrayMap(x -> arraySum(y -> length(y.log_records), x.scope_logs), body.resource_logs) AS counts_of_resources,
                            arrayMap((total, n) -> total - n, arrayCumSum(counts_of_resources), counts_of_resources) AS first_lines_of_resources
                        FROM segment('body Tuple(resource_logs Array(Tuple(
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
                            scope_logs Array(Tuple(
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
                                log_records Array(Tuple(
                                    time_unix_nano UInt64, severity_number Int32, severity_text String,
                                    body Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m Tuple(v
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
                                    UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m
                                    Tuple(v Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k
                                    String, v Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a
                                    Tuple(v Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8))), s
                                    String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m Tuple(v
                                    Array(Tuple(k String, v Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is
                                    UInt8)))), a Tuple(v Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String,
                                    is UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d
                                    Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m
                                    Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y
                                    String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64,
                                    y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v
                                    Array(Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s String, b Bool, i Int64, d
                                    Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s String, b Bool, i Int64,
                                    d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8))), s
                                    String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y
                                    String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8),
                                    attributes Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m Tuple(v
                                    Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String,
                                    v Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v
                                    Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8))), s String,
                                    b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m Tuple(v Array(Tuple(k
                                    String, v Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a
                                    Tuple(v Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is UInt8))), s
                                    String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y
                                    String, is UInt8)))), a Tuple(v Array(Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m Tuple(v
                                    Array(Tuple(k String, v Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String, is
                                    UInt8)))), a Tuple(v Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y String,
                                    is UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m
                                    Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s String, b Bool, i Int64, d Float64, y
                                    String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s String, b Bool, i Int64, d Float64,
                                    y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool,
                                    i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is
                                    UInt8)))), a Tuple(v Array(Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k
                                    String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s String, b Bool, i Int64,
                                    d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s String, b Bool, i
                                    Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8)))),
                                    a Tuple(v Array(Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s String, b Bool, i
                                    Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String, s String, b Bool,
                                    i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is
                                    UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m
                                    Tuple(v Array(Tuple(k String, v Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m String, a String, s
                                    String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m String, a String,
                                    s String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y
                                    String, is UInt8)))), a Tuple(v Array(Tuple(m Tuple(v Array(Tuple(k String, v Tuple(m String, a
                                    String, s String, b Bool, i Int64, d Float64, y String, is UInt8)))), a Tuple(v Array(Tuple(m String,
                                    a String, s String, b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d
                                    Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is UInt8))), s String,
                                    b Bool, i Int64, d Float64, y String, is UInt8))), s String, b Bool, i Int64, d Float64, y String, is
                                    UInt8))),
                                    dropped_attributes_count UInt32, trace_id String, span_id String,
                                    observed_time_unix_nano UInt64, event_name String)))))))')
                    )
                    ARRAY JOIN body.resource_logs AS resource_logs, first_lines_of_resources AS first_line_of_resource
                )
                ARRAY JOIN scopes AS scope_logs, first_lines AS first_line
            )
        )
        ARRAY JOIN log_records AS record, arrayEnumerate(log_records) AS position
    )
)
SETTINGS input_format_protobuf_oneof_presence = 1, output_format_json_escape_forward_slashes = 0, output_format_json_quote_64bit_integers = 0,
         output_format_json_quote_denormals = 1, output_format_json_named_tuples_as_objects = 1, short_circuit_function_evaluation = 'force_enable',
         query_plan_enable_optimizations = 0
