    -- From data points to `samples`, one row per sample with its series. What a metric's name says is worked out once per metric, not per point
    -- (measured: per point it was two thirds of all CPU).
    units AS
    (
        SELECT
            received_ns, service, env, retention_days, identity, original_name, help, otel_unit, type, temporality, data_points,
            splitByChar('/', replaceRegexpAll(otel_unit, '[{][^}]*[}]', '')) AS unit_parts,
            transform(unit_parts[1], ucum, unit_words, replaceRegexpAll(unit_parts[1], '[^a-zA-Z0-9]+', '_')) AS unit_word,
            if(length(unit_parts) = 2, concat('per_', transform(unit_parts[2], per_ucum, per_words, unit_parts[2])), '') AS unit_per
        FROM metrics
    ),
    families AS
    (
        SELECT
            received_ns, service, env, retention_days, identity, original_name, help, type, temporality, data_points, unit_name,
            concat(bare_name, multiIf(unit_name = '', '', endsWith(bare_name, unit_name), '', concat('_', unit_name)), if(type = 'counter', '_total', '')) AS family
        FROM
        (
            SELECT
                *,
                if(concat(otel_unit, type) = '1gauge', 'ratio', concat(unit_word, if(unit_word != '' AND unit_per != '', '_', ''), unit_per)) AS unit_name,
                trimRight(replaceRegexpOne(label_name(original_name), if(type = 'counter', '_total$', '$^'), ''), '_') AS bare_name
            FROM units
        )
    ),
    points AS
    (
        SELECT
            service, env, retention_days, original_name, help, unit_name, type, temporality, family, received_ms,
            fromUnixTimestamp64Milli(multiIf(claimed_ms < received_ms - retention_days * 86400000, received_ms,
                                             claimed_ms > received_ms + 600000, received_ms, claimed_ms), 'UTC') AS sampled_at,
            arraySort(arrayConcat(identity, arrayMap(x -> (label_name(x.1), x.2), data_point.1))) AS point_labels,
            data_point.3 AS values,
            data_point.4 AS point_exemplars
        FROM
        (
            SELECT service, env, retention_days, identity, original_name, help, unit_name, type, temporality, family, data_point,
                   intDiv(received_ns, 1000000) AS received_ms, toInt64(intDiv(data_point.2, 1000000)) AS claimed_ms
            FROM families
            ARRAY JOIN data_points AS data_point
        )
    ),
    samples AS
    (
        SELECT
            service, env, retention_days, original_name, help, unit_name, type, temporality, sampled_at, point_labels, value.2 AS label, value.3 AS label_value,
            concat(family, value.1) AS series_name, value.4 AS sample,
            cityHash64(service, env, series_name, type, temporality, point_labels, label, label_value) AS series_id
        FROM points
        ARRAY JOIN values AS value
    )
