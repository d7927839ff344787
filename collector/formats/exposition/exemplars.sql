-- Exemplars of an OpenMetrics exposition -> exemplars.
INSERT INTO exemplars (series_id, at, value, trace_id, span_id, labels, retention_days)
WITH
    '[{](?:[^"}]|"(?:[^"\\\\]|\\\\.)*")*[}]' AS braces,
    t -> if(position(t, '\\') = 0, t, replaceAll(replaceAll(replaceAll(replaceAll(t, '\\\\', '\x01'), '\\n', '\n'), '\\"', '"'), '\x01', '\\')) AS unescaped,
    t -> CAST(arrayMap(x -> (unescaped(trim(BOTH '"' FROM x[1])), unescaped(x[2])),
              extractAllGroupsVertical(t, '([^\\s,{}="]+|"(?:[^"\\\\]|\\\\.)*")\\s*=\\s*"((?:[^"\\\\]|\\\\.)*)"')), 'Map(String, String)') AS labels_of,
    t -> trim(BOTH '"' FROM extract(t, '^# [A-Z]+\\s+(\\S+)')) AS about,
    -- One row per line, beside it the # TYPE, # HELP and # UNIT line that came last before it: families are written in one piece.
    lines AS
    (
        SELECT
            batch_id, received_ns, scraped_ns, service, env, job, instance, openmetrics, line, type_line, help_line, unit_line
        FROM
        (
            SELECT
                batch_id, toInt64(received_at) AS received_ns, if(at = 0, received_ns, toInt64(at)) AS scraped_ns,
                resource['service.name'] AS claimed_service,
                coalesce(nullIf(resource['deployment.environment.name'], ''), resource['deployment.environment']) AS claimed_env,
                multiIf(has(services, claimed_service), claimed_service, notEmpty(services), services[1],
                        claimed_service = '', 'unknown_service', claimed_service) AS service,
                multiIf(has(envs, claimed_env), claimed_env, notEmpty(envs), envs[1], claimed_env) AS env,
                if(resource['service.namespace'] = '', service, concat(resource['service.namespace'], '/', service)) AS job,
                resource['service.instance.id'] AS instance,
                match(body, '(?:^|\n)# EOF\\s*$') AS openmetrics,
                splitByChar('\n', body) AS all_lines,
                arrayFill(x -> startsWith(x, '# TYPE '), all_lines) AS type_lines,
                arrayFill(x -> startsWith(x, '# HELP '), all_lines) AS help_lines,
                arrayFill(x -> startsWith(x, '# UNIT '), all_lines) AS unit_lines
            FROM segment('body String')
        )
        ARRAY JOIN all_lines AS line, type_lines AS type_line, help_lines AS help_line, unit_lines AS unit_line
        WHERE line NOT LIKE '#%'
    ),
    -- One row per sample. The series is known by its text and by who exposes it; its labels are parsed only where they are stored.
    samples AS
    (
        SELECT
            batch_id, service, env, job, instance, type_line, help_line, unit_line, received_ns, line,
            extractGroups(line, concat('^\\s*([^\\s{}"#]*)\\s*(', braces, ')?\\s+([^\\s#]+)(?:\\s+([^\\s#]+))?(?:\\s+#\\s+(', braces,
                                       ')\\s+(\\S+)(?:\\s+(\\S+))?)?\\s*$')) AS part,
            concat(part[1], part[2]) AS series,
            cityHash64(service, env, job, instance, series) AS series_id,
            toFloat64OrNull(part[3]) AS value,
            toFloat64OrNull(part[4]) AS claimed_time,
            multiIf(claimed_time IS NULL, intDiv(scraped_ns, 1000000), toInt64(round(claimed_time * if(openmetrics, 1000, 1)))) AS claimed_ms,
            intDiv(received_ns, 1000000) AS received_ms,
            fromUnixTimestamp64Milli(multiIf(claimed_ms < received_ms - {retention_days:UInt16} * 86400000, received_ms,
                                             claimed_ms > received_ms + 600000, received_ms, claimed_ms), 'UTC') AS sampled_at
        FROM lines
        WHERE value IS NOT NULL
    )
SELECT
    series_id,
    multiIf(exemplar_ms IS NULL, sampled_at, exemplar_ms < received_ms - {retention_days:UInt16} * 86400000, sampled_at,
            exemplar_ms > received_ms + 600000, sampled_at, fromUnixTimestamp64Milli(toInt64(assumeNotNull(exemplar_ms)), 'UTC')) AS at,
    toFloat64OrZero(part[6]) AS value,
    lower(coalesce(nullIf(all_labels['trace_id'], ''), nullIf(all_labels['traceID'], ''), all_labels['traceId'])) AS trace_id,
    lower(coalesce(nullIf(all_labels['span_id'], ''), nullIf(all_labels['spanID'], ''), all_labels['spanId'])) AS span_id,
    CAST(mapFilter((k, v) -> k NOT IN ('trace_id', 'traceID', 'traceId', 'span_id', 'spanID', 'spanId'), all_labels),
         'Map(LowCardinality(String), String)') AS labels,
    {retention_days:UInt16} AS retention_days
FROM (SELECT *, labels_of(part[5]) AS all_labels, round(toFloat64OrNull(part[7]) * 1000) AS exemplar_ms FROM samples WHERE line LIKE '% # {%' AND part[5] != '')
