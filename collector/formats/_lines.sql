    -- What all formats of text share: from `source` to rows of `logs`. One line, one row; nothing is rejected: what no shape fits is the body as it stands.
    --
    -- `source` has batch_id, received_at, resource, services, envs, format, whole (the line), line (its number), outer_time (of what carried it, '' = none)
    -- and extra (pairs that came beside it). Each line becomes one flat JSON object, and that object's keys become columns and attributes:
    --   wrapped   CRI, docker json-file and syslog lines are unwrapped, their time kept as a fallback, what they say beside it as pairs
    --   flat      a flat JSON line is itself; a nested one, or one with nulls or numbers whose text JSON parsers change
    --             (1.50, 1e3, 20 digits), is rewritten; logfmt is rewritten; text has no object
    --   told      what klog, access logs and lines that begin with a time or a level say in their own places
    --   roles     what each key means: 1 time, 2 level, 3 body, 4 trace id, 5 span id, 6 service, 7 env, 8 host; 11 to 18 are
    --             weaker names for 1 to 8; 0 = an attribute. The first key of a role becomes the column, all others are attributes.
    -- Only lines that need rewriting pay for it (short-circuit evaluation). The statement is analysed anew for every segment, so it is kept
    -- small: roles are looked up in one pass instead of one expression per spelling.
SELECT
    if(parsed_at < subtractDays(received, retention_days) OR parsed_at > addMinutes(received, 10), received, parsed_at) AS occurred_at,
    received AS observed_at,
    if(empty(services) OR has(services, own_service), own_service, services[1]) AS service,
    if(empty(envs) OR has(envs, own_env), own_env, envs[1]) AS env,
    transform(severity_number, [1, 5, 9, 13, 17, 21]::Array(UInt8), ['trace', 'debug', 'info', 'warn', 'error', 'fatal'], '') AS severity,
    severity_number,
    if(at_body = 0, content, texts[at_body]) AS body,
    lower(texts[at_trace]) AS trace_id,
    lower(texts[at_span]) AS span_id,
    CAST(arrayConcat(
        arrayFilter((pair, number) -> NOT has(picked, number), pairs, arrayEnumerate(pairs)),
        if(occurred_at = parsed_at, [], [('fuseboard.original_time', time_text)]),
        if(service = own_service, [], [('fuseboard.service_overridden', own_service)]),
        if(env = own_env, [], [('fuseboard.env_overridden', own_env)])
    ), 'Map(LowCardinality(String), String)') AS attributes,
    CAST(if(texts[at_host] IN ('', 'null'), resource, mapUpdate(resource, map('host.name', texts[at_host]))), 'Map(LowCardinality(String), String)') AS resource,
    batch_id, line, kept(service, env) AS retention_days
FROM
(
    SELECT
        batch_id, line, resource, services, envs, content, pairs, texts, at_body, at_trace, at_span, at_host, time_text, level_text,
        fromUnixTimestamp64Nano(toInt64(received_at), 'UTC') AS received,
        -- A time that cannot be read is the epoch's: out of the window, its text kept.
        multiIf(time_text = '', received,
                match(time_text, '^[0-9]{9,19}(\\.[0-9]+)?$'),
                coalesce(fromUnixTimestamp64Nano(toInt64OrNull(substring(rightPad(replaceOne(time_text, '.', ''), 19, '0'), 1, 19)), 'UTC'), toDateTime64(0, 9, 'UTC')),
                coalesce(parseDateTime64BestEffortOrNull(replaceOne(time_text, ',', '.'), 9, 'UTC'), toDateTime64(0, 9, 'UTC'))) AS parsed_at,
        transform(lower(level_text),
            ['trace', 'verbose', 'finest', 'finer', '10', 'debug', 'fine', 'dbg', '20', 'info', 'information', 'informational', 'notice', 'config', '30',
             'warn', 'warning', '40', 'error', 'err', 'severe', '50', 'fatal', 'critical', 'crit', 'panic', 'dpanic', 'alert', 'emerg', 'emergency', '60',
             't', 'd', 'i', 'w', 'e', 'f'],
            [1, 1, 1, 1, 1, 5, 5, 5, 5, 9, 9, 9, 9, 9, 9,
             13, 13, 13, 17, 17, 17, 17, 21, 21, 21, 21, 21, 21, 21, 21, 21,
             1, 5, 9, 13, 17, 21]::Array(UInt8), toUInt8(0)) AS severity_number,
        [at_time, if(severity_number = 0, 0, at_level), at_body, at_trace, at_span, if(texts[at_service] = 'null', 0, at_service),
         if(texts[at_env] = 'null', 0, at_env), if(texts[at_host] = 'null', 0, at_host)] AS picked,
        multiIf(texts[at_service] NOT IN ('', 'null'), texts[at_service], resource['service.name'] != '', resource['service.name'], 'unknown_service') AS own_service,
        multiIf(texts[at_env] NOT IN ('', 'null'), texts[at_env], resource['deployment.environment.name'] != '', resource['deployment.environment.name'],
                resource['deployment.environment']) AS own_env
    FROM
    (
        SELECT
            * EXCEPT (roles),
            if(has(roles, 1), indexOf(roles, 1), indexOf(roles, 11)) AS at_time,
            if(has(roles, 2), indexOf(roles, 2), indexOf(roles, 12)) AS at_level,
            if(has(roles, 3), indexOf(roles, 3), indexOf(roles, 13)) AS at_body,
            -- Loggers outside a span write 0, null or n/a: no id, so an attribute like any other.
            if(length(texts[indexOf(roles, 4)]) = 32, indexOf(roles, 4), 0) AS at_trace,
            if(length(texts[indexOf(roles, 5)]) = 16, indexOf(roles, 5), 0) AS at_span,
            if(has(roles, 6), indexOf(roles, 6), indexOf(roles, 16)) AS at_service, indexOf(roles, 7) AS at_env,
            if(has(roles, 8), indexOf(roles, 8), indexOf(roles, 18)) AS at_host,
            multiIf(at_time != 0, texts[at_time], text_time != '', text_time, wrapper_time) AS time_text,
            if(at_level = 0 OR text_level != '', text_level, texts[at_level]) AS level_text
        FROM
        (
            SELECT
                *,
                JSONExtractKeysAndValues(flat, 'String') AS pairs,
                pairs.2 AS texts,
                arrayMap(key -> transform(key,
                    ['timestamp', '@timestamp', 'time', 'ts', 'asctime', 'eventTime', '@t', 'datetime', 't', 'date',
                     'level', 'severity', 'lvl', 'loglevel', 'log.level', 'levelname', '@l',
                     'message', 'msg', 'short_message', '@m', 'event', 'body', 'log', '@mt',
                     'trace_id', 'traceId', 'trace.id', 'dd.trace_id', 'otelTraceID', '@tr',
                     'span_id', 'spanId', 'span.id', 'dd.span_id', 'otelSpanID', '@sp',
                     'service', 'service.name', 'env', 'environment', 'deployment.environment.name', 'deployment.environment',
                     'host', 'hostname', 'host.name', 'syslog.severity', 'syslog.appname', 'syslog.hostname'],
                    [1, 1, 1, 1, 1, 1, 1, 1, 11, 11,
                     2, 2, 2, 2, 2, 2, 2,
                     3, 3, 3, 3, 13, 13, 13, 13,
                     4, 4, 4, 4, 4, 4,
                     5, 5, 5, 5, 5, 5,
                     6, 6, 7, 7, 7, 7,
                     8, 8, 8, 12, 16, 18]::Array(UInt8), toUInt8(0)), pairs.1) AS roles
            FROM
            (
                WITH
                    -- Numbers become strings that begin with control character 1: so their text survives the parser.
                    replaceAll(replaceAll(replaceAll(replaceRegexpAll(content, '("(?:[^"\\\\]|\\\\.)*")|(-?[0-9][0-9.eE+-]*)', '\\1\x02\\2\x03'),
                               '\x02\x03', ''), '\x02', '"\\u0001'), '\x03', '"') AS quoted,
                    JSONExtractKeysAndValuesRaw(quoted) AS nested_0,
                    -- Objects inside objects, three levels of them; deeper ones stay JSON text.
                    arrayFlatten(arrayMap(a -> if(startsWith(a.2, '{') AND a.2 != '{}',
                        arrayMap(x -> (concat(a.1, '.', x.1), x.2), JSONExtractKeysAndValuesRaw(a.2)), [a]), nested_0)) AS nested_1,
                    arrayFlatten(arrayMap(a -> if(startsWith(a.2, '{') AND a.2 != '{}',
                        arrayMap(x -> (concat(a.1, '.', x.1), x.2), JSONExtractKeysAndValuesRaw(a.2)), [a]), nested_1)) AS nested_2,
                    arrayFlatten(arrayMap(a -> if(startsWith(a.2, '{') AND a.2 != '{}',
                        arrayMap(x -> (concat(a.1, '.', x.1), x.2), JSONExtractKeysAndValuesRaw(a.2)), [a]), nested_2)) AS nested_3,
                    arrayMap(a -> (a.1, multiIf(startsWith(a.2, '"'), trimLeft(JSONExtractString(a.2), '\x01'),
                        startsWith(a.2, '[') OR startsWith(a.2, '{'), replaceRegexpAll(a.2, '"\\\\u0001([^"]*)"', '\\1'), a.2)), nested_3) AS rewritten
                SELECT
                    * EXCEPT (whole),
                    startsWith(content, '{') AND format NOT IN ('text', 'logfmt', 'access') AND isValidJSON(content) AS is_json,
                    NOT is_json AND format NOT IN ('text', 'json', 'access')
                        AND match(content, '^(?:[A-Za-z_@][A-Za-z0-9_.@/-]*=(?:"(?:[^"\\\\]|\\\\.)*"|[^ "=]*)(?: +|$)){2,}$') AS is_logfmt,
                    is_json OR is_logfmt AS is_object,
                    arrayMap(t -> told_by(t, clock), if(is_object OR format NOT IN ('', 'detect', 'cri', 'docker', 'syslog', 'access'), [], [content])) AS told,
                    told[1].1 AS text_time,
                    told[1].2 AS text_level,
                    multiSearchAny(content, [':{', ': {', ':null', ': null'])
                        OR match(content, '[:,\\[]\\s*-?(?:[0-9]+\\.[0-9]*0[,}\\]\\s]|[0-9.]+[eE]|[0-9.]{17})') AS changes,
                    arrayConcat(present(arrayFlatten(told.3)), wrapped) AS beside,
                    multiIf(is_json AND empty(beside) AND NOT changes, content,
                            is_logfmt, toJSONString(CAST(arrayConcat(CAST(extractKeyValuePairsWithEscaping(content, '=', ' ', '"'), 'Array(Tuple(String, String))'), beside), 'Map(String, String)')),
                            is_json, toJSONString(CAST(arrayConcat(rewritten, beside), 'Map(String, String)')),
                            notEmpty(beside), toJSONString(CAST(beside, 'Map(String, String)')),
                            '') AS flat
                FROM
                (
                    SELECT
                        * EXCEPT (whole, extra, outer_time),
                        startsWith(whole, '{"log":"') AND format IN ('', 'detect', 'docker') AND JSONHas(whole, 'stream') AS is_docker,
                        -- An array of none or one: what is mapped over it is done for the lines that are no objects and for no other.
                        arrayMap(t -> unwrapped(t, format, clock), if(startsWith(whole, '{'), [], [whole])) AS unwrapping,
                        multiIf(is_docker, trimRight(JSONExtractString(whole, 'log'), '\n'), notEmpty(unwrapping), unwrapping[1].1, whole) AS content,
                        multiIf(is_docker, JSONExtractString(whole, 'time'), notEmpty(unwrapping) AND unwrapping[1].2 != '', unwrapping[1].2, outer_time) AS wrapper_time,
                        arrayConcat(extra, present(arrayFlatten(unwrapping.3))) AS wrapped
                    FROM source
                )
            )
        )
    )
)
-- Merged, or short-circuited less, the rewriting of `flat` would run for every line (measured: 49 -> 10 CPU-s per million).
-- A logfmt line of more pairs than the default of 1000 is a line like any other: a block's own bound is bound enough.
SETTINGS query_plan_merge_expressions = 0, short_circuit_function_evaluation = 'force_enable', extract_key_value_pairs_max_pairs_per_row = 10000000
