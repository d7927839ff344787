-- Log records of ExportLogsServiceRequest as JSON -> logs.
INSERT INTO logs (occurred_at, observed_at, service, env, severity, severity_number, body, trace_id, span_id, attributes, resource,
                  batch_id, line, retention_days)
WITH
-- include ../_retention.sql
-- include ../_otlp_json.sql
    , ['', 'trace', 'debug', 'info', 'warn', 'error', 'fatal'] AS severity_names
SELECT
    fromUnixTimestamp64Nano(if(in_range, claimed_ns, received_ns), 'UTC') AS occurred_at,
    fromUnixTimestamp64Nano(received_ns, 'UTC') AS observed_at,
    service,
    env,
    severity_names[level + 1] AS severity,
    if(numbered, toUInt8(number), if(level = 0, 0, toUInt8(level * 4 - 3))) AS severity_number,
    whole_body AS body,
    id(record.traceId, 32) AS trace_id,
    id(record.spanId, 16) AS span_id,
    CAST(arrayConcat(
        own,
        -- A map as body: its keys; the record's own win.
        if(is_map(record.body), arrayFilter(x -> NOT has(own.1, x.1), arrayMap(x -> (substring(x.1, 2), x.2), opened(opened(opened([('', whole_body, true)]))))), []),
        if(record.eventName != '', [('event.name', record.eventName)], []),
        if(severity_word IN ('', severity), [], [('severity_text', record.severityText)]),
        if(in_range, [], [('fuseboard.original_time', toString(claimed))]),
        counted('otel.dropped_attributes_count', record.droppedAttributesCount),
        if(scope.name != '', [('otel.scope.name', scope.name)], []),
        if(scope.version != '', [('otel.scope.version', scope.version)], []),
        arrayMap(x -> (concat('otel.scope.', x.1), x.2), texts(scope.attributes)),
        counted('otel.scope.dropped_attributes_count', scope.droppedAttributesCount)), 'Map(LowCardinality(String), String)') AS attributes,
    CAST(mapUpdate(claimed_resource, mapConcat(
        if(claimed_service IN ('', service), map(), map('service.name', service, 'fuseboard.service_overridden', claimed_service)),
        if(claimed_env IN ('', env), map(), map('deployment.environment.name', env, 'fuseboard.env_overridden', claimed_env)))),
        'Map(LowCardinality(String), String)') AS resource,
    batch_id,
    line,
    retention_days
FROM
(
    SELECT
        batch_id, received_ns, scope, record, claimed_resource, toUInt32(row_number() OVER (PARTITION BY batch_id ORDER BY place)) - 1 AS line,
        claimed_resource['service.name'] AS claimed_service,
        coalesce(nullIf(claimed_resource['deployment.environment.name'], ''), claimed_resource['deployment.environment']) AS claimed_env,
        multiIf(has(services, claimed_service), claimed_service, notEmpty(services), services[1],
                claimed_service = '', 'unknown_service', claimed_service) AS service,
        multiIf(has(envs, claimed_env), claimed_env, notEmpty(envs), envs[1], claimed_env) AS env, kept(service, env) AS retention_days,
        text(record.body) AS whole_body,
        arrayMap(x -> (x.1, x.2), opened(opened(opened(arrayMap(x -> (x.1, text(x.2), is_map(x.2)), record.attributes))))) AS own,
        record.severityNumber AS number, number BETWEEN 1 AND 24 AS numbered, lower(record.severityText) AS severity_word,
        if(numbered, intDiv(number + 3, 4), transform(left(severity_word, 3),
            ['tra', 'deb', 'inf', 'not', 'war', 'err', 'fat', 'cri', 'ale', 'eme', 'pan'], [1, 2, 3, 3, 4, 5, 6, 6, 6, 6, 6], 0)) AS level,
        multiIf(record.timeUnixNano != 0, record.timeUnixNano, record.observedTimeUnixNano != 0, record.observedTimeUnixNano, toUInt64(received_ns)) AS claimed,
        toInt64(claimed) AS claimed_ns,
        claimed_ns BETWEEN received_ns - retention_days * 86400000000000 AND received_ns + 600000000000 AS in_range
    FROM
    (
        SELECT
            batch_id, toInt64(received_at) AS received_ns, services, envs, scoped.scope AS scope, record,
            (sender_at, scope_at, record_at) AS place,
            mapUpdate(resource, CAST(arrayConcat(texts(sender.resource.attributes),
                counted('otel.resource.dropped_attributes_count', sender.resource.droppedAttributesCount)), 'Map(String, String)')) AS claimed_resource
        FROM
        (
            SELECT *, JSONExtract(body, 'resourceLogs', 'Array(Tuple(
                resource Tuple(attributes Array(Tuple(key String, value String)), droppedAttributesCount UInt32),
                scopeLogs Array(Tuple(
                    scope Tuple(name String, version String, attributes Array(Tuple(key String, value String)), droppedAttributesCount UInt32),
                    logRecords Array(Tuple(timeUnixNano UInt64, observedTimeUnixNano UInt64, severityNumber Int32, severityText String, traceId String,
                        spanId String, eventName String, droppedAttributesCount UInt32, body String, attributes Array(Tuple(key String, value String))))))))') AS senders
            FROM segment('body String')
            -- What was accepted and cannot be read must not become no rows: it is refused, found and quarantined.
            WHERE throwIf(NOT isValidJSON(body), 'the body is not JSON to ClickHouse') = 0
        )
        ARRAY JOIN senders AS sender, arrayEnumerate(senders) AS sender_at
        ARRAY JOIN sender.scopeLogs AS scoped, arrayEnumerate(sender.scopeLogs) AS scope_at
        ARRAY JOIN scoped.logRecords AS record, arrayEnumerate(scoped.logRecords) AS record_at
    )
)
SETTINGS output_format_json_escape_forward_slashes = 0, short_circuit_function_evaluation = 'force_enable', query_plan_enable_optimizations = 0,
         compile_expressions = 0
