-- Log records of ExportLogsServiceRequest -> logs.
INSERT INTO logs (occurred_at, observed_at, service, env, severity, severity_number, body, trace_id, span_id, attributes, resource,
                  batch_id, line, retention_days)
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
    (k, n) -> if(n > 0, [(k, toString(n))], []) AS counted,
    ['', 'trace', 'debug', 'info', 'warn', 'error', 'fatal'] AS severity_names
SELECT
    fromUnixTimestamp64Nano(if(in_range, claimed_ns, received_ns), 'UTC') AS occurred_at,
    fromUnixTimestamp64Nano(received_ns, 'UTC') AS observed_at,
    service,
    env,
    severity_names[level + 1] AS severity,
    if(numbered, toUInt8(number), if(level = 0, 0, toUInt8(level * 4 - 3))) AS severity_number,
    whole_body.2 AS body,
    trace_hex(record.trace_id) AS trace_id,
    span_hex(record.span_id) AS span_id,
    CAST(arrayConcat(
        own,
        -- A map as body: its keys, which began with the empty key and a dot; the record's own win.
        if(whole_body.3, arrayFilter(x -> NOT has(own.1, x.1), arrayMap(x -> (substring(x.1, 2), x.2), opened_values[2])), []),
        if(record.event_name != '', [('event.name', record.event_name)], []),
        if(severity_word IN ('', severity), [], [('severity_text', record.severity_text)]),
        if(in_range, [], [('fuseboard.original_time', toString(claimed))]),
        counted('otel.dropped_attributes_count', record.dropped_attributes_count),
        scope_pairs), 'Map(LowCardinality(String), String)') AS attributes,
    resource,
    batch_id,
    line,
    retention_days
FROM
(
    SELECT
        *,
        values[2][1] AS whole_body,
        if(arrayExists(g -> arrayExists(x -> x.3, g), values), arrayMap(g -> opened(opened(opened(g))), values), values) AS opened_values,
        arrayMap(x -> (x.1, x.2), opened_values[1]) AS own,
        toInt64(claimed) AS claimed_ns,
        claimed_ns BETWEEN received_ns - retention_days * 86400000000000 AND received_ns + 600000000000 AS in_range,
        if(numbered, intDiv(number + 3, 4), transform(left(severity_word, 3),
            ['tra', 'deb', 'inf', 'not', 'war', 'err', 'fat', 'cri', 'ale', 'eme', 'pan'], [1, 2, 3, 3, 4, 5, 6, 6, 6, 6, 6], 0)) AS level
    FROM
    (
        SELECT
            batch_id, received_ns, service, env, retention_days, resource, scope_pairs, line,
            record.severity_number AS number,
            number BETWEEN 1 AND 24 AS numbered, lower(record.severity_text) AS severity_word,
            multiIf(record.time_unix_nano != 0, record.time_unix_nano,
                    record.observed_time_unix_nano != 0, record.observed_time_unix_nano, toUInt64(received_ns)) AS claimed,
            record.trace_id, record.span_id, record.event_name, record.severity_text, record.dropped_attributes_count,
            -- The record's attributes, and its body under an empty key.
            arrayMap(g -> arrayMap(x -> (x.1, text(x.2, container1(x.2)), notEmpty(x.2.`m.v`)), g), [record.attributes, [('', record.body)]]) AS values
        FROM
        (
            SELECT batch_id, received_ns, service, env, retention_days, resource, scope_pairs, first_line + position - 1 AS line, untuple(record) AS record
            FROM
            (
                SELECT
                    batch_id, received_ns, service, env, retention_days, resource, first_line, tupleElement(scope, 'log_records') AS records,
                    arrayConcat(
                        if(tupleElement(scope, 'scope.name') != '', [('otel.scope.name', tupleElement(scope, 'scope.name'))], []),
                        if(tupleElement(scope, 'scope.version') != '', [('otel.scope.version', tupleElement(scope, 'scope.version'))], []),
                        arrayMap(x -> (concat('otel.scope.', x.1), x.2), texts(tupleElement(scope, 'scope.attributes'))),
                        counted('otel.scope.dropped_attributes_count', tupleElement(scope, 'scope.dropped_attributes_count'))) AS scope_pairs
                FROM
                (
                    SELECT
                        batch_id, received_ns, scopes, first_lines,
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
                                batch_id, toInt64(received_at) AS received_ns, services, envs, tupleElement(sender, 'scope_logs') AS scopes,
                                arrayMap(x -> length(x), numbers) AS counts,
                                arrayMap((total, n) -> first_line + total - n, arrayCumSum(counts), counts) AS first_lines,
                                mapUpdate(resource, CAST(arrayConcat(
                                    texts(tupleElement(sender, 'resource.attributes')),
                                    counted('otel.resource.dropped_attributes_count', tupleElement(sender, 'resource.dropped_attributes_count'))),
                                    'Map(String, String)')) AS claimed_resource
                            FROM
                            (
                                SELECT
                                    *,
                                    -- `line` counts a batch's records; a number of each stands for it here, because it is narrow.
                                    tupleElement(tupleElement(tupleElement(`body.resource_logs`, 'scope_logs'), 'log_records'), 'severity_number') AS all_numbers,
                                    arrayMap(x -> length(arrayFlatten(x)), all_numbers) AS counts_of_senders,
                                    arrayMap((total, n) -> total - n, arrayCumSum(counts_of_senders), counts_of_senders) AS first_lines_of_senders
                                FROM segment('`body.resource_logs` Array(Tuple(
                                    `resource.attributes` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String,
                                      `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)),
                                      `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m
                                      String, is UInt8))), is UInt8))),
                                    `resource.dropped_attributes_count` UInt32,
                                    scope_logs Array(Tuple(
                                        `scope.name` String, `scope.version` String, `scope.dropped_attributes_count` UInt32,
                                        `scope.attributes` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String,
                                          `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is
                                          UInt8)), `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a
                                          String, m String, is UInt8))), is UInt8))),
                                        log_records Array(Tuple(
                                            time_unix_nano UInt64, observed_time_unix_nano UInt64, severity_number Int32, severity_text String,
                                            trace_id String, span_id String, event_name String, dropped_attributes_count UInt32,
                                            body Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v`
                                              Array(Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v` Array(Tuple(s String, b
                                              Bool, i Int64, d Float64, y String, `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64,
                                              y String, a String, m String, is UInt8)), `m.v` Array(Tuple(k String, v Tuple(s String, b
                                              Bool, i Int64, d Float64, y String, a String, m String, is UInt8))), is UInt8)), `m.v`
                                              Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v`
                                              Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)),
                                              `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a
                                              String, m String, is UInt8))), is UInt8))), is UInt8)), `m.v` Array(Tuple(k String, v
                                              Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v` Array(Tuple(s String, b Bool, i
                                              Int64, d Float64, y String, `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64, y
                                              String, a String, m String, is UInt8)), `m.v` Array(Tuple(k String, v Tuple(s String, b
                                              Bool, i Int64, d Float64, y String, a String, m String, is UInt8))), is UInt8)), `m.v`
                                              Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v`
                                              Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)),
                                              `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a
                                              String, m String, is UInt8))), is UInt8))), is UInt8))), is UInt8),
                                            attributes Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String,
                                              `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v` Array(Tuple(s
                                              String, b Bool, i Int64, d Float64, y String, `a.v` Array(Tuple(s String, b Bool, i Int64, d
                                              Float64, y String, a String, m String, is UInt8)), `m.v` Array(Tuple(k String, v Tuple(s
                                              String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8))), is UInt8)),
                                              `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v`
                                              Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)),
                                              `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a
                                              String, m String, is UInt8))), is UInt8))), is UInt8)), `m.v` Array(Tuple(k String, v
                                              Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v` Array(Tuple(s String, b Bool, i
                                              Int64, d Float64, y String, `a.v` Array(Tuple(s String, b Bool, i Int64, d Float64, y
                                              String, a String, m String, is UInt8)), `m.v` Array(Tuple(k String, v Tuple(s String, b
                                              Bool, i Int64, d Float64, y String, a String, m String, is UInt8))), is UInt8)), `m.v`
                                              Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, `a.v`
                                              Array(Tuple(s String, b Bool, i Int64, d Float64, y String, a String, m String, is UInt8)),
                                              `m.v` Array(Tuple(k String, v Tuple(s String, b Bool, i Int64, d Float64, y String, a
                                              String, m String, is UInt8))), is UInt8))), is UInt8))), is UInt8)))))))))')
                            )
                            ARRAY JOIN `body.resource_logs` AS sender, all_numbers AS numbers, first_lines_of_senders AS first_line
                        )
                    )
                )
                ARRAY JOIN scopes AS scope, first_lines AS first_line
            )
            ARRAY JOIN records AS record, arrayEnumerate(records) AS position
        )
    )
)
SETTINGS input_format_protobuf_oneof_presence = 1, output_format_json_escape_forward_slashes = 0, output_format_json_quote_64bit_integers = 0,
         output_format_json_quote_denormals = 1, short_circuit_function_evaluation = 'force_enable', query_plan_enable_optimizations = 0,
         compile_expressions = 0
