-- Spans of ExportTraceServiceRequest as JSON -> spans.
INSERT INTO spans (start, duration_ns, trace_id, span_id, parent_span_id, trace_state, service, env, name, kind, status, status_message,
                   attributes, resource, scope_name, scope_version, events, links, observed_at, batch_id, retention_days)
WITH
-- include ../_retention.sql
-- include ../_otlp_json.sql
    -- An enum is its number, or its name as Protobuf's own JSON writes it.
    , (t, names) -> if(match(t, '^[0-9]$'), names[toUInt8OrZero(t) + 1], lower(extract(t, '[A-Z]+$'))) AS enum
SELECT
    fromUnixTimestamp64Nano(start_ns, 'UTC') AS start,
    if(end_time > start_time, end_time - start_time, 0) AS duration_ns,
    id(span.traceId, 32) AS trace_id,
    id(span.spanId, 16) AS span_id,
    id(span.parentSpanId, 16) AS parent_span_id,
    span.traceState AS trace_state,
    service,
    env,
    span.name AS name,
    if(kind_name IN ('server', 'client', 'producer', 'consumer'), kind_name, 'internal') AS kind,
    if(status_name IN ('ok', 'error'), status_name, 'unset') AS status,
    span.status.message AS status_message,
    CAST(arrayConcat(
        arrayMap(x -> (x.1, x.2), opened(opened(opened(arrayMap(x -> (x.1, text(x.2), is_map(x.2)), span.attributes))))),
        if(start_ns = start_time, [], [('fuseboard.original_time', toString(start_time))]),
        if(end_time < start_time, [('fuseboard.original_end', toString(end_time))], []),
        counted('otel.dropped_attributes_count', span.droppedAttributesCount),
        counted('otel.dropped_events_count', span.droppedEventsCount),
        counted('otel.dropped_links_count', span.droppedLinksCount),
        arrayMap(x -> (concat('otel.scope.', x.1), x.2), texts(scope.attributes)),
        counted('otel.scope.dropped_attributes_count', scope.droppedAttributesCount)), 'Map(LowCardinality(String), String)') AS attributes,
    CAST(mapUpdate(claimed_resource, mapConcat(
        if(claimed_service IN ('', service), map(), map('service.name', service, 'fuseboard.service_overridden', claimed_service)),
        if(claimed_env IN ('', env), map(), map('deployment.environment.name', env, 'fuseboard.env_overridden', claimed_env)))),
        'Map(LowCardinality(String), String)') AS resource,
    scope.name AS scope_name,
    scope.version AS scope_version,
    arrayMap(e -> (
        fromUnixTimestamp64Nano(if(toInt64(e.timeUnixNano) BETWEEN oldest_ns AND newest_ns, toInt64(e.timeUnixNano), start_ns), 'UTC'),
        e.name,
        CAST(arrayConcat(texts(e.attributes), counted('otel.dropped_attributes_count', e.droppedAttributesCount),
            if(toInt64(e.timeUnixNano) BETWEEN oldest_ns AND newest_ns, [], [('fuseboard.original_time', toString(e.timeUnixNano))])), 'Map(String, String)')),
        span.events) AS events,
    arrayMap(l -> (
        id(l.traceId, 32), id(l.spanId, 16), l.traceState,
        CAST(arrayConcat(texts(l.attributes), counted('otel.dropped_attributes_count', l.droppedAttributesCount)), 'Map(String, String)')),
        span.links) AS links,
    fromUnixTimestamp64Nano(received_ns, 'UTC') AS observed_at,
    batch_id,
    retention_days
FROM
(
    SELECT
        batch_id, received_ns, scope, span, claimed_resource,
        claimed_resource['service.name'] AS claimed_service,
        coalesce(nullIf(claimed_resource['deployment.environment.name'], ''), claimed_resource['deployment.environment']) AS claimed_env,
        multiIf(has(services, claimed_service), claimed_service, notEmpty(services), services[1],
                claimed_service = '', 'unknown_service', claimed_service) AS service,
        multiIf(has(envs, claimed_env), claimed_env, notEmpty(envs), envs[1], claimed_env) AS env, kept(service, env) AS retention_days,
        enum(span.kind, ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer']) AS kind_name,
        enum(span.status.code, ['unset', 'ok', 'error']) AS status_name,
        span.startTimeUnixNano AS start_time, span.endTimeUnixNano AS end_time,
        received_ns - retention_days * 86400000000000 AS oldest_ns,
        received_ns + 600000000000 AS newest_ns,
        if(toInt64(start_time) BETWEEN oldest_ns AND newest_ns, toInt64(start_time), received_ns) AS start_ns
    FROM
    (
        SELECT
            batch_id, toInt64(received_at) AS received_ns, services, envs, scoped.scope AS scope, span,
            mapUpdate(resource, CAST(arrayConcat(texts(sender.resource.attributes),
                counted('otel.resource.dropped_attributes_count', sender.resource.droppedAttributesCount)), 'Map(String, String)')) AS claimed_resource
        FROM
        (
            SELECT *, JSONExtract(body, 'resourceSpans', 'Array(Tuple(
                resource Tuple(attributes Array(Tuple(key String, value String)), droppedAttributesCount UInt32),
                scopeSpans Array(Tuple(
                    scope Tuple(name String, version String, attributes Array(Tuple(key String, value String)), droppedAttributesCount UInt32),
                    spans Array(Tuple(traceId String, spanId String, parentSpanId String, traceState String, name String, kind String,
                        startTimeUnixNano UInt64, endTimeUnixNano UInt64, status Tuple(code String, message String),
                        attributes Array(Tuple(key String, value String)), droppedAttributesCount UInt32,
                        events Array(Tuple(timeUnixNano UInt64, name String, attributes Array(Tuple(key String, value String)), droppedAttributesCount UInt32)),
                        droppedEventsCount UInt32,
                        links Array(Tuple(traceId String, spanId String, traceState String, attributes Array(Tuple(key String, value String)), droppedAttributesCount UInt32)),
                        droppedLinksCount UInt32))))))') AS senders
            FROM segment('body String')
            -- What was accepted and cannot be read must not become no rows: it is refused, found and quarantined.
            WHERE throwIf(NOT isValidJSON(body), 'the body is not JSON to ClickHouse') = 0
        )
        ARRAY JOIN senders AS sender
        ARRAY JOIN sender.scopeSpans AS scoped
        ARRAY JOIN scoped.spans AS span
    )
)
SETTINGS output_format_json_escape_forward_slashes = 0, short_circuit_function_evaluation = 'force_enable', query_plan_enable_optimizations = 0,
         compile_expressions = 0
