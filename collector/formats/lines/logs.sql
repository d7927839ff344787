-- A block of log lines -> logs. One line, one row; nothing is rejected: what no shape fits is the body as it stands.
--
-- Each line becomes one flat JSON object, and that object's keys become columns and attributes:
--   wrapped   CRI and docker json-file lines are unwrapped, their time kept as a fallback
--   flat      a flat JSON line is itself; a nested one, or one with nulls or numbers whose text JSON parsers change
--             (1.50, 1e3, 20 digits), is rewritten; logfmt is rewritten; text has no object
--   picked    the first known spelling of each column
-- Only lines that need rewriting pay for it (short-circuit evaluation); measured in benchmarks/ingest.py.
INSERT INTO logs
(occurred_at, observed_at, service, env, severity, severity_number, body, trace_id, span_id, attributes, resource, batch_id, line, retention_days)
SELECT
    if(parsed_at < window_start OR parsed_at > window_end, received, parsed_at) AS occurred_at,
    received AS observed_at,
    multiIf(empty(services) OR has(services, own_service), own_service, services[1]) AS service,
    multiIf(empty(envs) OR has(envs, own_env), own_env, envs[1]) AS env,
    transform(severity_number, [1, 5, 9, 13, 17, 21]::Array(UInt8), ['trace', 'debug', 'info', 'warn', 'error', 'fatal'], '') AS severity,
    severity_number,
    body, trace_id, span_id,
    CAST(arrayConcat(
        arrayFilter(pair -> NOT has(picked, pair.1), pairs),
        if(occurred_at = parsed_at, [], [('fuseboard.original_time', time_text)]),
        if(service = own_service, [], [('fuseboard.service_overridden', own_service)]),
        if(env = own_env, [], [('fuseboard.env_overridden', own_env)])
    ), 'Map(LowCardinality(String), String)') AS attributes,
    CAST(if(host = '', resource, mapUpdate(resource, map('host.name', host))), 'Map(LowCardinality(String), String)') AS resource,
    batch_id, line, {retention_days:UInt16} AS retention_days
FROM
(
    SELECT
        *,
        fromUnixTimestamp64Nano(toInt64(received_at), 'UTC') AS received,
        subtractDays(received, {retention_days:UInt16}) AS window_start,
        addMinutes(received, 10) AS window_end,
        if(time_text = '', received, coalesce(
            if(match(time_text, '^[0-9]{9,19}(\\.[0-9]+)?$'),
               fromUnixTimestamp64Nano(toInt64OrNull(substring(rightPad(replaceOne(time_text, '.', ''),
                   19, '0'), 1, 19)), 'UTC'), NULL),
            parseDateTime64BestEffortOrNull(replaceOne(time_text, ',', '.'), 9, 'UTC'),
            received)) AS parsed_at,
        if(own_service_text != '', own_service_text,
           if(resource['service.name'] != '', resource['service.name'], 'unknown_service')) AS own_service,
        if(own_env_text != '', own_env_text,
           if(resource['deployment.environment.name'] != '', resource['deployment.environment.name'], resource['deployment.environment'])) AS own_env,
        if(level_text = '', 0, transform(lower(level_text),
            ['trace', 'verbose', 'finest', 'finer', '10', 'debug', 'fine', 'dbg', '20', 'info', 'information', 'informational', 'notice', 'config', '30',
             'warn', 'warning', '40', 'error', 'err', 'severe', '50', 'fatal', 'critical', 'crit', 'panic', 'dpanic', 'alert', 'emerg', 'emergency', '60',
             't', 'd', 'i', 'w', 'e', 'f'],
            [1, 1, 1, 1, 1, 5, 5, 5, 5, 9, 9, 9, 9, 9, 9,
             13, 13, 13, 17, 17, 17, 17, 21, 21, 21, 21, 21, 21, 21, 21, 21,
             1, 5, 9, 13, 17, 21]::Array(UInt8), toUInt8(0))) AS severity_number,
        if(is_object, multiIf(k.message != '', k.message, k.msg != '', k.msg, k.event != '', k.event, k.body != '', k.body,
            k.short_message != '', k.short_message, k.`@m` != '', k.`@m`, k.`@mt` != '', k.`@mt`, k.log != '', k.log, content), content) AS body,
        lower(multiIf(k.trace_id != '', k.trace_id, k.traceId != '', k.traceId, k.`trace.id` != '', k.`trace.id`,
            k.`dd.trace_id` != '', k.`dd.trace_id`, k.otelTraceID != '', k.otelTraceID, k.`@tr`)) AS trace_id,
        lower(multiIf(k.span_id != '', k.span_id, k.spanId != '', k.spanId, k.`span.id` != '', k.`span.id`,
            k.`dd.span_id` != '', k.`dd.span_id`, k.otelSpanID != '', k.otelSpanID, k.`@sp`)) AS span_id,
        -- The keys that became columns; everything else is an attribute.
        [multiIf(NOT is_object OR time_text = wrapper_time, '', k.timestamp != '', 'timestamp', k.`@timestamp` != '', '@timestamp', k.time != '', 'time', k.ts != '', 'ts',
                 k.t != '', 't', k.datetime != '', 'datetime', k.asctime != '', 'asctime', k.eventTime != '', 'eventTime', k.`@t` != '', '@t', k.date != '', 'date', ''),
         if(severity_number = 0, '', multiIf(k.level != '', 'level', k.severity != '', 'severity', k.levelname != '', 'levelname', k.lvl != '', 'lvl',
                 k.loglevel != '', 'loglevel', k.`log.level` != '', 'log.level', k.`@l` != '', '@l', '')),
         multiIf(k.message != '', 'message', k.msg != '', 'msg', k.event != '', 'event', k.body != '', 'body',
                 k.short_message != '', 'short_message', k.`@m` != '', '@m', k.`@mt` != '', '@mt', k.log != '', 'log', ''),
         multiIf(k.trace_id != '', 'trace_id', k.traceId != '', 'traceId', k.`trace.id` != '', 'trace.id',
                 k.`dd.trace_id` != '', 'dd.trace_id', k.otelTraceID != '', 'otelTraceID', k.`@tr` != '', '@tr', ''),
         multiIf(k.span_id != '', 'span_id', k.spanId != '', 'spanId', k.`span.id` != '', 'span.id',
                 k.`dd.span_id` != '', 'dd.span_id', k.otelSpanID != '', 'otelSpanID', k.`@sp` != '', '@sp', ''),
         multiIf(k.service != '', 'service', k.`service.name` != '', 'service.name', ''),
         multiIf(k.env != '', 'env', k.environment != '', 'environment', k.`deployment.environment.name` != '', 'deployment.environment.name',
                 k.`deployment.environment` != '', 'deployment.environment', ''),
         multiIf(k.host != '', 'host', k.hostname != '', 'hostname', k.`host.name` != '', 'host.name', '')] AS picked
    FROM
    (
        SELECT
            *,
            JSONExtract(flat, 'Tuple(timestamp String, `@timestamp` String, time String, ts String, t String, datetime String, date String, asctime String, eventTime String, `@t` String, level String, severity String, lvl String, loglevel String, `log.level` String, levelname String, `@l` String, message String, msg String, event String, body String, log String, short_message String, `@m` String, `@mt` String, trace_id String, traceId String, `trace.id` String, `dd.trace_id` String, otelTraceID String, `@tr` String, span_id String, spanId String, `span.id` String, `dd.span_id` String, otelSpanID String, `@sp` String, service String, `service.name` String, env String, environment String, `deployment.environment` String, `deployment.environment.name` String, host String, hostname String, `host.name` String)') AS k,
            JSONExtractKeysAndValues(flat, 'String') AS pairs,
            multiIf(k.timestamp != '', k.timestamp, k.`@timestamp` != '', k.`@timestamp`, k.time != '', k.time, k.ts != '', k.ts, k.t != '', k.t,
                    k.datetime != '', k.datetime, k.asctime != '', k.asctime, k.eventTime != '', k.eventTime, k.`@t` != '', k.`@t`, k.date != '', k.date,
                    wrapper_time) AS time_text,
            multiIf(k.level != '', k.level, k.severity != '', k.severity, k.levelname != '', k.levelname, k.lvl != '', k.lvl,
                    k.loglevel != '', k.loglevel, k.`log.level` != '', k.`log.level`, k.`@l`) AS level_text,
            if(k.service != '', k.service, k.`service.name`) AS own_service_text,
            multiIf(k.env != '', k.env, k.environment != '', k.environment, k.`deployment.environment.name` != '', k.`deployment.environment.name`,
                    k.`deployment.environment`) AS own_env_text,
            multiIf(k.host != '', k.host, k.hostname != '', k.hostname, k.`host.name`) AS host
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
                    startsWith(a.2, '['), replaceRegexpAll(a.2, '"\\\\u0001([^"]*)"', '\\1'), a.2)), nested_3) AS rewritten
            SELECT
                * EXCEPT (whole),
                startsWith(content, '{') AND format NOT IN ('text', 'logfmt') AND isValidJSON(content) AS is_json,
                NOT is_json AND format NOT IN ('text', 'json')
                    AND match(content, '^(?:[A-Za-z_@][A-Za-z0-9_.@/-]*=(?:"(?:[^"\\\\]|\\\\.)*"|[^ "=]*)(?: +|$)){2,}$') AS is_logfmt,
                is_json OR is_logfmt AS is_object,
                multiIf(
                    is_logfmt, toJSONString(extractKeyValuePairsWithEscaping(content, '=', ' ', '"')),
                    NOT is_json, '',
                    multiSearchAny(content, [':{', ': {', ':null', ': null'])
                        OR match(content, '[:,\\[]\\s*-?(?:[0-9]+\\.[0-9]*0[,}\\]\\s]|[0-9.]+[eE]|[0-9.]{17})'),
                    toJSONString(CAST(rewritten, 'Map(String, String)')),
                    content) AS flat
            FROM
            (
                SELECT
                    batch_id, received_at, resource, services, envs, format, line, whole,
                    match(whole, '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[^ ]+ (?:stdout|stderr) [FP] ') AND format IN ('', 'detect', 'cri') AS is_cri,
                    NOT is_cri AND startsWith(whole, '{"log":"') AND format IN ('', 'detect', 'docker') AND JSONHas(whole, 'stream') AS is_docker,
                    multiIf(is_cri, extract(whole, '^[^ ]+ [a-z]+ [FP] (.*)$'),
                            is_docker, trimRight(JSONExtractString(whole, 'log'), '\n'),
                            whole) AS content,
                    multiIf(is_cri, extract(whole, '^[^ ]+'), is_docker, JSONExtractString(whole, 'time'), '') AS wrapper_time
                FROM
                (
                    SELECT batch_id, received_at, resource, services, envs, format,
                           arrayJoin(arrayZip(lines, arrayEnumerate(lines))) AS numbered,
                           if(endsWith(numbered.1, '\r'), substring(numbered.1, 1, length(numbered.1) - 1), numbered.1) AS whole, toUInt32(numbered.2 - 1) AS line
                    FROM (SELECT *, splitByChar('\n', body) AS lines FROM segment('body String'))
                    WHERE whole != ''
                )
            )
        )
    )
)
-- Without this the rewriting of `flat` is merged into its consumers and runs for every line (measured: 49 -> 13 CPU-s per million).
SETTINGS query_plan_merge_expressions = 0
