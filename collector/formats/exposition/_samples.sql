-- What the three statements of this folder share: from the text to `samples`, one row per sample line with its series.
-- Format `stale` says that the target has vanished: each sample is then Prometheus' stale marker, a NaN of its own bits (readers tell it
-- by them), at the time of the scrape that failed. Samples with a time of their own have no marker: they age by themselves.
-- Source: prometheus/prometheus, model/value/value.go (StaleNaN) and scrape/scrape.go (explicit timestamps).
WITH
-- include ../_retention.sql
    '[{](?:[^"}]|"(?:[^"\\\\]|\\\\.)*")*[}]' AS braces,
    t -> if(position(t, '\\') = 0, t, replaceAll(replaceAll(replaceAll(replaceAll(t, '\\\\', '\x01'), '\\n', '\n'), '\\"', '"'), '\x01', '\\')) AS unescaped,
    t -> CAST(arrayMap(x -> (unescaped(trim(BOTH '"' FROM x[1])), unescaped(x[2])),
              extractAllGroupsVertical(t, '([^\\s,{}="]+|"(?:[^"\\\\]|\\\\.)*")\\s*=\\s*"((?:[^"\\\\]|\\\\.)*)"')), 'Map(String, String)') AS labels_of,
    t -> trim(BOTH '"' FROM extract(t, '^# [A-Z]+\\s+(\\S+)')) AS about,
    -- One row per line, beside it the # TYPE, # HELP and # UNIT line that came last before it: families are written in one piece.
    lines AS
    (
        SELECT
            batch_id, received_ns, scraped_ns, service, env, retention_days, job, instance, openmetrics, stale, line, type_line, help_line, unit_line
        FROM
        (
            SELECT
                batch_id, toInt64(received_at) AS received_ns, if(at = 0, received_ns, toInt64(at)) AS scraped_ns,
                resource['service.name'] AS claimed_service,
                coalesce(nullIf(resource['deployment.environment.name'], ''), resource['deployment.environment']) AS claimed_env,
                multiIf(has(services, claimed_service), claimed_service, notEmpty(services), services[1],
                        claimed_service = '', 'unknown_service', claimed_service) AS service,
                multiIf(has(envs, claimed_env), claimed_env, notEmpty(envs), envs[1], claimed_env) AS env, kept(service, env) AS retention_days,
                if(resource['service.namespace'] = '', service, concat(resource['service.namespace'], '/', service)) AS job,
                resource['service.instance.id'] AS instance,
                match(body, '(?:^|\n)# EOF\\s*$') AS openmetrics,
                format = 'stale' AS stale,
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
    -- Nearly every line is a series, one space and a value: those are cut at that space, and only the others taken apart (measured: a third of the CPU).
    samples AS
    (
        SELECT
            batch_id, service, env, retention_days, job, instance, type_line, help_line, unit_line, received_ns, line, stale,
            match(line, concat('^[^\\s{}"#]*(?:', braces, ')? [^\\s#]+$')) AS plain,
            arrayMap(l -> extractGroups(l, concat('^\\s*([^\\s{}"#]*)\\s*(', braces, ')?\\s+([^\\s#]+)(?:\\s+([^\\s#]+))?(?:\\s+#\\s+(', braces,
                                                  ')\\s+(\\S+)(?:\\s+(\\S+))?)?\\s*$')), if(plain, [], [line]))[1] AS part,
            if(plain, substringIndex(line, ' ', -1), part[3]) AS value_text,
            if(plain, substring(line, 1, length(line) - length(value_text) - 1), concat(part[1], part[2])) AS series,
            cityHash64(service, env, job, instance, series) AS series_id,
            if(stale, reinterpretAsFloat64(0x7ff0000000000002), toFloat64OrNull(value_text)) AS value,
            toFloat64OrNull(part[4]) AS claimed_time,
            multiIf(claimed_time IS NULL, intDiv(scraped_ns, 1000000), toInt64(round(claimed_time * if(openmetrics, 1000, 1)))) AS claimed_ms,
            intDiv(received_ns, 1000000) AS received_ms,
            fromUnixTimestamp64Milli(multiIf(claimed_ms < received_ms - retention_days * 86400000, received_ms,
                                             claimed_ms > received_ms + 600000, received_ms, claimed_ms), 'UTC') AS sampled_at
        FROM lines
        WHERE toFloat64OrNull(value_text) IS NOT NULL AND NOT (stale AND claimed_time IS NOT NULL)
    )
