-- Spans of Zipkin v2 -> spans.
INSERT INTO spans (start, duration_ns, trace_id, span_id, parent_span_id, trace_state, service, env, name, kind, status, status_message,
                   attributes, resource, scope_name, scope_version, events, links, observed_at, batch_id, retention_days)
WITH
-- include ../_retention.sql
    (t, length) -> if(match(t, '^[0-9a-fA-F]+$'), replaceOne(leftPad(lower(t), length, '0'), repeat('0', length), ''), '') AS id,
    (k, t) -> if(t = '', [], [(k, t)]) AS told
SELECT
    fromUnixTimestamp64Nano(start_ns, 'UTC') AS start,
    span.duration * 1000 AS duration_ns,
    id(span.traceId, 32) AS trace_id,
    -- A span id of its own for the server's half of a span that its client has reported under the same id.
    if(is_half, lower(leftPad(hex(cityHash64(trace_id, whole_id)), 16, '0')), whole_id) AS span_id,
    if(is_half, whole_id, id(span.parentId, 16)) AS parent_span_id,
    '' AS trace_state,
    service,
    env,
    span.name AS name,
    if(kind_told IN ('server', 'client', 'producer', 'consumer'), kind_told, 'internal') AS kind,
    multiIf(has(tag_names, 'error') OR lower(span.tags['otel.status_code']) = 'error', 'error', lower(span.tags['otel.status_code']) = 'ok', 'ok', 'unset') AS status,
    if(lower(span.tags['error']) IN ('true', 'false'), '', span.tags['error']) AS status_message,
    CAST(arrayConcat(
        arrayZip(tag_names, mapValues(span.tags)),
        if(has(tag_names, 'peer.service'), [], told('peer.service', span.remoteEndpoint.serviceName)),
        if(has(tag_names, 'network.peer.address'), [], told('network.peer.address', if(span.remoteEndpoint.ipv4 = '', span.remoteEndpoint.ipv6, span.remoteEndpoint.ipv4))),
        if(span.remoteEndpoint.port = 0 OR has(tag_names, 'network.peer.port'), [], [('network.peer.port', toString(span.remoteEndpoint.port))]),
        told('network.local.address', if(span.localEndpoint.ipv4 = '', span.localEndpoint.ipv6, span.localEndpoint.ipv4)),
        if(span.localEndpoint.port = 0, [], [('network.local.port', toString(span.localEndpoint.port))]),
        if(span.debug, [('zipkin.debug', 'true')], []),
        if(is_half, [('zipkin.shared_id', whole_id)], []),
        if(span.timestamp = 0 OR start_ns = claimed_ns, [], [('fuseboard.original_time', toString(claimed_ns))])), 'Map(LowCardinality(String), String)') AS attributes,
    CAST(mapUpdate(claimed_resource, mapConcat(
        map('service.name', service),
        if(claimed_service IN ('', service), map(), map('fuseboard.service_overridden', claimed_service)),
        if(claimed_env IN ('', env), map(), map('deployment.environment.name', env, 'fuseboard.env_overridden', claimed_env)))),
        'Map(LowCardinality(String), String)') AS resource,
    '' AS scope_name,
    '' AS scope_version,
    arrayMap(a -> (
        fromUnixTimestamp64Nano(if(toInt64(a.timestamp) * 1000 BETWEEN oldest_ns AND newest_ns, toInt64(a.timestamp) * 1000, start_ns), 'UTC'),
        a.value,
        CAST(if(toInt64(a.timestamp) * 1000 BETWEEN oldest_ns AND newest_ns, [], [('fuseboard.original_time', toString(a.timestamp * 1000))]), 'Map(String, String)')),
        span.annotations) AS events,
    CAST([], 'Array(Tuple(String, String, String, Map(String, String)))') AS links,
    fromUnixTimestamp64Nano(received_ns, 'UTC') AS observed_at,
    batch_id,
    retention_days
FROM
(
    SELECT
        batch_id, received_ns, span, claimed_resource, mapKeys(span.tags) AS tag_names, lower(span.kind) AS kind_told, id(span.id, 16) AS whole_id,
        span.shared AND kind_told = 'server' AS is_half,
        if(span.localEndpoint.serviceName = '', claimed_resource['service.name'], span.localEndpoint.serviceName) AS claimed_service,
        coalesce(nullIf(span.tags['deployment.environment.name'], ''), nullIf(span.tags['deployment.environment'], ''),
                 nullIf(claimed_resource['deployment.environment.name'], ''), claimed_resource['deployment.environment']) AS claimed_env,
        multiIf(has(services, claimed_service), claimed_service, notEmpty(services), services[1],
                claimed_service = '', 'unknown_service', claimed_service) AS service,
        multiIf(has(envs, claimed_env), claimed_env, notEmpty(envs), envs[1], claimed_env) AS env, kept(service, env) AS retention_days,
        received_ns - retention_days * 86400000000000 AS oldest_ns,
        received_ns + 600000000000 AS newest_ns,
        toInt64(span.timestamp) * 1000 AS claimed_ns,
        if(claimed_ns BETWEEN oldest_ns AND newest_ns, claimed_ns, received_ns) AS start_ns
    FROM
    (
        SELECT
            batch_id, toInt64(received_at) AS received_ns, services, envs, resource AS claimed_resource,
            JSONExtract(body, 'Array(Tuple(traceId String, id String, parentId String, kind String, name String, timestamp UInt64, duration UInt64, debug Bool,
                shared Bool, localEndpoint Tuple(serviceName String, ipv4 String, ipv6 String, port UInt16),
                remoteEndpoint Tuple(serviceName String, ipv4 String, ipv6 String, port UInt16),
                annotations Array(Tuple(timestamp UInt64, value String)), tags Map(String, String)))') AS spans
        FROM segment('body String')
        -- What was accepted and cannot be read must not become no rows: it is refused, found and quarantined.
        WHERE throwIf(NOT isValidJSON(body), 'the body is not JSON to ClickHouse') = 0
    )
    ARRAY JOIN spans AS span
)
