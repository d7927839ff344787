    -- One row of each series. What a series is goes through the aggregation as one text, which costs a fifth of what arrays in its hash table do. A text
    -- in which the separator itself occurs begins with it, and its parts are hexadecimal.
    , texts AS
    (
        SELECT
            id, family_id,
            concat(service, '\0', env, '\0', toString(family_type), '\0', help, '\0', unit, '\0', arrayStringConcat(labels.1, '\0'), '\0',
                   arrayStringConcat(labels.2, '\0')) AS plain_text,
            countSubstrings(plain_text, '\0') != 2 * length(labels) + 4 AS strange,
            if(strange, arrayConcat([service, env, toString(family_type), help, unit], labels.1, labels.2), []) AS strangers,
            if(strange, arrayStringConcat(arrayMap(x -> concat('\0', hex(x)), strangers), ''), plain_text) AS text,
            in_range(if(empty(times), received_ms, arrayMin(times)), received_ms, retention_days) AS first_ms,
            in_range(if(empty(times), received_ms, arrayMax(times)), received_ms, retention_days) AS last_ms
        FROM all_series
        WHERE plain AND notEmpty(labels)
    ),
    distinct_series AS
    (
        SELECT id, any(text) AS told, min(first_ms) AS first_at, max(last_ms) AS last_at
        FROM texts
        GROUP BY id, family_id
    ),
    known AS
    (
        SELECT
            id, first_at, last_at, splitByChar('\0', told) AS split,
            if(startsWith(told, '\0'), arrayMap(x -> unhex(x), arrayPopFront(split)), split) AS parts, intDiv(length(parts) - 5, 2) AS pairs,
            arrayZip(arraySlice(parts, 6, pairs), arraySlice(parts, 6 + pairs, pairs)) AS pairs_told
        FROM distinct_series
    )
SELECT
    id AS series_id,
    label(pairs_told, '__name__') AS name,
    type_of(toInt32OrZero(parts[3]), name, pairs_told) AS type,
    parts[5] AS unit,
    if(type IN ('counter', 'histogram', 'summary'), 'cumulative', '') AS temporality,
    parts[1] AS service,
    parts[2] AS env,
    CAST(arrayFilter(x -> x.1 != '__name__', pairs_told), 'Map(LowCardinality(String), String)') AS labels,
    parts[4] AS help,
    name AS original_name,
    fromUnixTimestamp64Milli(first_at, 'UTC') AS first_seen,
    fromUnixTimestamp64Milli(last_at, 'UTC') AS last_seen
FROM known
SETTINGS optimize_on_insert = 0, enable_lazy_columns_replication = 0, compile_expressions = 0
