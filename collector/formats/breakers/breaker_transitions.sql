-- Posted transitions -> breaker_transitions.
INSERT INTO breaker_transitions (at, service, env, breaker, target, instance, from_state, to_state, reason, failure_rate, slow_call_rate,
                                 calls, not_permitted, derived, trace_id, span_id, observed_at, batch_id, source, retention_days)
WITH
-- include ../_retention.sql
    t -> replaceAll(lower(t), '-', '_') AS state
SELECT
    fromUnixTimestamp64Nano(multiIf(claimed_ns < received_ns - retention_days * 86400000000000, received_ns,
                                    claimed_ns > received_ns + 600000000000, received_ns, claimed_ns), 'UTC') AS at,
    multiIf(has(services, claimed_service), claimed_service, notEmpty(services), services[1],
            claimed_service = '', 'unknown_service', claimed_service) AS service,
    multiIf(has(envs, claimed_env), claimed_env, notEmpty(envs), envs[1], claimed_env) AS env,
    JSONExtractString(object, 'breaker') AS breaker,
    JSONExtractString(object, 'target') AS target,
    coalesce(nullIf(JSONExtractString(object, 'instance'), ''), nullIf(resource['service.instance.id'], ''), resource['host.name']) AS instance,
    state(JSONExtractString(object, 'from')) AS from_state,
    state(JSONExtractString(object, 'to')) AS to_state,
    JSONExtractString(object, 'reason') AS reason,
    JSONExtract(object, 'failure_rate', 'Nullable(Float64)') AS failure_rate,
    JSONExtract(object, 'slow_call_rate', 'Nullable(Float64)') AS slow_call_rate,
    JSONExtract(object, 'calls', 'Nullable(UInt64)') AS calls,
    JSONExtract(object, 'not_permitted', 'Nullable(UInt64)') AS not_permitted,
    false AS derived,
    lower(JSONExtractString(object, 'trace_id')) AS trace_id,
    lower(JSONExtractString(object, 'span_id')) AS span_id,
    fromUnixTimestamp64Nano(received_ns, 'UTC') AS observed_at,
    batch_id,
    'post' AS source,
    kept(service, env) AS retention_days
FROM
(
    SELECT
        batch_id, received_ns, services, envs, resource, object,
        coalesce(nullIf(JSONExtractString(object, 'service'), ''), resource['service.name']) AS claimed_service,
        coalesce(nullIf(JSONExtractString(object, 'env'), ''), nullIf(resource['deployment.environment.name'], ''),
                 resource['deployment.environment']) AS claimed_env,
        -- `at` as text, whether it was quoted or a number; a number's magnitude tells its unit.
        trim(BOTH '"' FROM JSONExtractRaw(object, 'at')) AS at_text,
        toInt64OrNull(at_text) AS at_integer,
        toFloat64OrNull(at_text) AS at_number,
        multiIf(
            at_text IN ('', 'null'), received_ns,
            at_integer IS NOT NULL, multiIf(at_integer < 100000000000, at_integer * 1000000000, at_integer < 100000000000000, at_integer * 1000000,
                                            at_integer < 100000000000000000, at_integer * 1000, at_integer),
            at_number IS NOT NULL, toInt64(round(multiIf(at_number < 1e11, at_number * 1e6, at_number < 1e14, at_number * 1e3, at_number))) * 1000,
            coalesce(toUnixTimestamp64Nano(parseDateTime64BestEffortOrNull(at_text, 9, 'UTC')), received_ns)) AS claimed_ns
    FROM
    (
        SELECT
            batch_id, toInt64(received_at) AS received_ns, services, envs, resource,
            arrayJoin(arrayFilter(x -> x != '', arrayMap(x -> trim(BOTH ' \t\r' FROM x), multiIf(
                startsWith(text, '['), JSONExtractArrayRaw(text),
                isValidJSON(text), [text],
                splitByChar('\n', text))))) AS object
        FROM (SELECT *, trim(BOTH ' \t\r\n' FROM body) AS text FROM segment('body String'))
    )
)
