    -- What all formats of text share: from `source` to rows of `logs`. One line, one row; nothing is rejected: what no shape fits is the body as it stands.
    --
    -- `source` has batch_id, received_at, resource, services, envs, format, whole (the line), line (its number), outer_time (of what carried it, '' = none)
    -- and extra (pairs that came beside it). Each line becomes one flat JSON object, and that object's keys become columns and attributes:
    --   opened    CRI, docker json-file and syslog lines are unwrapped, their time kept as a fallback, what they say beside it as pairs
    --   told      what klog, access logs and lines that begin with a time or a level say in their own places
    --   flat      a flat JSON line is itself; a nested one, or one with nulls or numbers whose text JSON parsers change
    --             (1.50, 1e3, 20 digits), is rewritten; logfmt is rewritten; text has no object
    --   roles     what each key means: 1 time, 2 level, 3 body, 4 trace id, 5 span id, 6 service, 7 env, 8 host; 11 to 18 are
    --             weaker names for 1 to 8; 0 = an attribute. The first key of a role becomes the column, all others are attributes.
    -- Only lines that need rewriting pay for it (short-circuit evaluation). The statement is analysed anew for every segment, so it is kept
    -- small: roles are looked up in one pass instead of one expression per spelling, and each step is a subquery, since what a step names
    -- twice is analysed twice (measured: 3,625 -> 745 functions, a load of one line 220 -> 130 ms of CPU on a busy machine).
    , looked_at AS
    (
        SELECT
            batch_id, line, received_at, resource, services, envs, format, clock, extra, outer_time, whole,
            -- A flat object needs nothing done to it, and most lines are one: what follows is about the others, as arrays of none or one. Whether it is
            -- JSON at all shows when it is parsed: one that is not has no pairs, and none of the other shapes begins with a brace.
            startsWith(whole, '{') AND NOT startsWith(whole, '{"log":"') AND format NOT IN ('text', 'logfmt', 'access') AND empty(extra)
                AND NOT changes(whole) AS is_flat,
            if(is_flat, [], [whole]) AS others
        FROM source
    )
    , wrapped AS
    (
        SELECT
            batch_id, line, received_at, resource, services, envs, format, clock, extra, outer_time, whole, is_flat, others,
            arrayMap(t -> match(t, '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[^ ]+ (?:stdout|stderr) [FP] '), others) AS cri,
            arrayMap(t -> rfc_5424(t), others) AS fives,
            arrayMap(t -> rfc_3164(t), others) AS threes
        FROM looked_at
    )
    , unwrapped AS
    (
        SELECT
            batch_id, line, received_at, resource, services, envs, format, clock, extra, outer_time, whole, is_flat,
            arrayMap((t, is_cri, five, three) -> multiIf(
                startsWith(t, '{"log":"') AND format IN ('', 'detect', 'docker') AND JSONHas(t, 'stream'), by_docker(t),
                startsWith(t, '{'), (t, '', []::Array(Tuple(String, String))),
                format IN ('', 'detect', 'cri') AND is_cri, by_cri(t),
                -- declared as syslog, a priority alone is enough, as some loggers write it
                format = 'syslog' AND match(t, '^<[0-9]{1,3}>') AND empty(five) AND empty(three), by_priority(t),
                format IN ('', 'detect', 'syslog') AND notEmpty(five), by_rfc_5424(five),
                format IN ('', 'detect', 'syslog') AND notEmpty(three), by_rfc_3164(three, clock),
                (t, '', []::Array(Tuple(String, String)))), others, cri, fives, threes) AS opened
        FROM wrapped
    )
    , shaped AS
    (
        SELECT
            batch_id, line, received_at, resource, services, envs, format, clock, extra, outer_time, whole, is_flat, opened,
            arrayMap(o -> startsWith(o.1, '{') AND format NOT IN ('text', 'logfmt', 'access') AND isValidJSON(o.1), opened) AS json,
            arrayMap(o -> format NOT IN ('text', 'json', 'access') AND is_logfmt(o.1), opened) AS logfmt,
            arrayMap(o -> klog(o.1), opened) AS klogs,
            arrayMap(o -> access(o.1), opened) AS accesses,
            arrayMap(o -> leading_time(o.1), opened) AS leadings
        FROM unwrapped
    )
    , told_of AS
    (
        SELECT
            batch_id, line, received_at, resource, services, envs, extra, outer_time, whole, is_flat, opened, json, logfmt,
            arrayMap((o, is_json, is_logfmt, klog, access, leading) -> multiIf(
                is_json OR is_logfmt OR format NOT IN ('', 'detect', 'cri', 'docker', 'syslog', 'access'), ('', '', []::Array(Tuple(String, String))),
                notEmpty(klog), by_klog(klog, clock),
                notEmpty(access), by_access(access),
                by_its_beginning(o.1, leading)), opened, json, logfmt, klogs, accesses, leadings) AS told
        FROM shaped
    )
    , flattened AS
    (
        SELECT
            batch_id, line, received_at, resource, services, envs, outer_time, whole, opened, told,
            arrayMap((o, t) -> arrayConcat(present(t.3), extra, present(o.3)), opened, told) AS beside,
            if(is_flat, whole, arrayMap((o, is_json, is_logfmt, pairs) -> multiIf(
                is_json AND empty(pairs) AND NOT changes(o.1), o.1,
                is_logfmt, as_object(arrayConcat(CAST(extractKeyValuePairsWithEscaping(o.1, '=', ' ', '"'), 'Array(Tuple(String, String))'), pairs)),
                is_json, as_object(arrayConcat(rewritten(o.1), pairs)),
                notEmpty(pairs), as_object(pairs),
                ''), opened, json, logfmt, beside)[1]) AS flat
        FROM told_of
    )
    , parsed AS
    (
        SELECT
            batch_id, line, received_at, resource, services, envs, outer_time, whole, opened, told,
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
        FROM flattened
    )
    , placed AS
    (
        SELECT
            batch_id, line, received_at, resource, services, envs, whole, opened, pairs, texts, roles,
            if(has(roles, 1), indexOf(roles, 1), indexOf(roles, 11)) AS at_time,
            if(has(roles, 2), indexOf(roles, 2), indexOf(roles, 12)) AS at_level,
            if(has(roles, 3), indexOf(roles, 3), indexOf(roles, 13)) AS at_body,
            -- Loggers outside a span write 0, null or n/a: no id, so an attribute like any other.
            if(length(texts[indexOf(roles, 4)]) = 32, indexOf(roles, 4), 0) AS at_trace,
            if(length(texts[indexOf(roles, 5)]) = 16, indexOf(roles, 5), 0) AS at_span,
            if(has(roles, 6), indexOf(roles, 6), indexOf(roles, 16)) AS at_service, indexOf(roles, 7) AS at_env,
            if(has(roles, 8), indexOf(roles, 8), indexOf(roles, 18)) AS at_host,
            multiIf(at_time != 0, texts[at_time], told[1].1 != '', told[1].1, opened[1].2 != '', opened[1].2, outer_time) AS time_text,
            if(at_level = 0 OR told[1].2 != '', told[1].2, texts[at_level]) AS level_text
        FROM parsed
    )
    , understood AS
    (
        SELECT
            batch_id, line, resource, services, envs, whole, opened, pairs, texts, at_body, at_trace, at_span, at_host, time_text,
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
            -- Mostly all keys with a role are picked: then looking them up one by one is saved.
            if(length(roles) - countEqual(roles, 0) = length(picked) - countEqual(picked, 0), arrayMap(role -> role != 0, roles),
               arrayMap((role, number) -> has(picked, number), roles, arrayEnumerate(roles))) AS taken,
            multiIf(texts[at_service] NOT IN ('', 'null'), texts[at_service], resource['service.name'] != '', resource['service.name'], 'unknown_service') AS own_service,
            multiIf(texts[at_env] NOT IN ('', 'null'), texts[at_env], resource['deployment.environment.name'] != '', resource['deployment.environment.name'],
                    resource['deployment.environment']) AS own_env
        FROM placed
    )
    , owned AS
    (
        SELECT
            *,
            if(empty(services) OR has(services, own_service), own_service, services[1]) AS service,
            if(empty(envs) OR has(envs, own_env), own_env, envs[1]) AS env
        FROM understood
    )
    , kept_for AS
    (
        SELECT
            batch_id, line, resource, whole, opened, pairs, texts, taken, at_body, at_trace, at_span, texts[at_host] AS host, time_text,
            received, parsed_at, severity_number, own_service, own_env, service, env, kept(service, env) AS days
        FROM owned
    )
SELECT
    if(parsed_at < subtractDays(received, days) OR parsed_at > addMinutes(received, 10), received, parsed_at) AS occurred_at,
    received AS observed_at, service, env,
    transform(severity_number, [1, 5, 9, 13, 17, 21]::Array(UInt8), ['trace', 'debug', 'info', 'warn', 'error', 'fatal'], '') AS severity,
    severity_number,
    multiIf(at_body != 0, texts[at_body], empty(opened), whole, opened[1].1) AS body,
    lower(texts[at_trace]) AS trace_id,
    lower(texts[at_span]) AS span_id,
    CAST(arrayConcat(
        arrayFilter((pair, is_taken) -> NOT is_taken, pairs, taken),
        if(occurred_at = parsed_at AND service = own_service AND env = own_env, [], arrayConcat(
            if(occurred_at = parsed_at, [], [('fuseboard.original_time', time_text)]),
            if(service = own_service, [], [('fuseboard.service_overridden', own_service)]),
            if(env = own_env, [], [('fuseboard.env_overridden', own_env)])))
    ), 'Map(LowCardinality(String), String)') AS attributes,
    CAST(if(host IN ('', 'null'), resource, mapUpdate(resource, map('host.name', host))), 'Map(LowCardinality(String), String)') AS resource,
    batch_id, line, days AS retention_days
FROM kept_for
-- Merged, or short-circuited less, the rewriting of `flat` would run for every line (measured: 49 -> 10 CPU-s per million).
-- A logfmt line of more pairs than the default of 1000 is a line like any other: a block's own bound is bound enough.
SETTINGS query_plan_merge_expressions = 0, short_circuit_function_evaluation = 'force_enable', extract_key_value_pairs_max_pairs_per_row = 10000000
