-- Series of collectd -> metric_series, one row per series and segment. A counter's value goes on from the last one's; an absolute's does not.
INSERT INTO metric_series (series_id, name, type, unit, temporality, service, env, labels, help, original_name, first_seen, last_seen)
-- include _samples.sql
SELECT
    series_id,
    replaceRegexpAll(concat('collectd_', if(plugin = type_name, '', concat(plugin, '_')), type_name, if(source IN ('value', ''), '', concat('_', source)),
                            if(kind IN ('counter', 'derive'), '_total', '')), '[^a-zA-Z0-9_:]', '_') AS name,
    if(kind IN ('counter', 'derive'), 'counter', 'gauge') AS type,
    '' AS unit,
    if(type = 'counter', 'cumulative', '') AS temporality,
    service,
    env,
    CAST(arrayFilter(x -> x.2 != '', [
        ('job', job),
        ('instance', host),
        (replaceRegexpAll(plugin, '[^a-zA-Z0-9_]', '_'), if(plugin_instance = '', type_instance, plugin_instance)),
        ('type', if(plugin_instance = '', '', type_instance))]), 'Map(LowCardinality(String), String)') AS labels,
    concat('collectd: plugin ', plugin, ', type ', type_name, if(source = '', '', concat(', data source ', source))) AS help,
    concat(plugin, '/', type_name) AS original_name,
    first_seen,
    last_seen
FROM
(
    SELECT
        series_id, any(service) AS service, any(env) AS env, any(job) AS job, any(host) AS host, any(plugin) AS plugin, any(plugin_instance) AS plugin_instance,
        any(type_name) AS type_name, any(type_instance) AS type_instance, any(kind) AS kind, any(source) AS source, min(sampled_at) AS first_seen, max(sampled_at) AS last_seen
    FROM samples
    GROUP BY series_id
)
