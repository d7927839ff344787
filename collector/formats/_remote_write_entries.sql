    -- What a series is goes through the aggregation as one text, which costs a fifth of what arrays in its hash table do: how many services and how many
    -- envs its sender may write as, the service and env that it says of itself, those services and envs; then type, help and unit of the family; then the
    -- names of the labels, then their values. Parts stand between NULs; a text in which one occurs begins with it, and its parts are hexadecimal.
    , distinct_series AS
    (
        SELECT any(text) AS told, groupArrayArray(times) AS all_ms, groupArrayArray(values) AS all_values, min(received_ms) AS received, minIf(created, created > 0) AS created_ms
        FROM all_series
        GROUP BY cityHash64(text)
    ),
    split_series AS
    (
        SELECT
            splitByChar('\0', told) AS split, if(startsWith(told, '\0'), arrayMap(x -> unhex(x), arrayPopFront(split)), split) AS parts,
            toUInt32OrZero(parts[1]) AS own_services, toUInt32OrZero(parts[2]) AS own_envs, 5 + own_services + own_envs AS family,
            (parts[3], parts[4], arraySlice(parts, 5, own_services), arraySlice(parts, 5 + own_services, own_envs)) AS sender,
            parts[family] AS declared, parts[family + 1] AS help, parts[family + 2] AS unit, intDiv(length(parts) - family - 2, 2) AS pairs,
            arrayZip(arraySlice(parts, family + 3, pairs), arraySlice(parts, family + 3 + pairs)) AS labels_told, telling(labels_told) AS teller,
            all_ms, all_values, received, created_ms
        FROM distinct_series
    ),
    owned_series AS
    (
        SELECT labels_told, declared, help, unit, sender, all_ms, all_values, received, created_ms,
               service_of(claimed_service(teller, sender.1), sender) AS service, permitted(sender.4, claimed_env(teller, sender.2)) AS env
        FROM split_series
    ),
    kept_series AS
    (
        SELECT
            base_id(labels_told, sender, service, env) AS id, labels_told, declared, help, unit, service, env, all_values, received, kept(service, env) AS retention_days,
            if(length(kept_rules) = 1, all_ms, arrayMap(ms -> in_range(ms, received, retention_days), all_ms)) AS times_ms,
            arrayConcat(times_ms, if(created_ms > 0, [in_range(created_ms, received, retention_days)], if(empty(times_ms), [received], []))) AS seen
        FROM owned_series
    )
SELECT
    id AS series_id,
    label(labels_told, '__name__') AS name,
    type_of(toInt32OrZero(declared), name, labels_told) AS type,
    unit,
    if(type IN ('counter', 'histogram', 'summary'), 'cumulative', '') AS temporality,
    service,
    env,
    CAST(arrayFilter(x -> x.1 != '__name__', labels_told), 'Map(LowCardinality(String), String)') AS labels,
    help,
    name AS original_name,
    fromUnixTimestamp64Milli(arrayMin(seen), 'UTC') AS first_seen,
    fromUnixTimestamp64Milli(arrayMax(seen), 'UTC') AS last_seen,
    retention_days,
    arrayMap(ms -> fromUnixTimestamp64Milli(ms, 'UTC'), times_ms) AS times,
    all_values AS values
FROM kept_series
SETTINGS optimize_on_insert = 0, enable_lazy_columns_replication = 0, compile_expressions = 0
