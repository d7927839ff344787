-- What the two statements of this folder share: from the text to `samples`, one row per value that is there, with what its series is made from.
WITH
-- include ../_retention.sql
    value_lists AS
    (
        SELECT
            received_ms, service, env, job, retention_days,
            arrayJoin(JSONExtract(body, 'Array(Tuple(values Array(Nullable(Float64)), dstypes Array(String), dsnames Array(String), time Float64, host String,
                plugin String, plugin_instance String, type String, type_instance String))')) AS told,
            toInt64(round(told.time * 1000)) AS claimed_ms,
            fromUnixTimestamp64Milli(if(claimed_ms BETWEEN received_ms - retention_days * 86400000 AND received_ms + 600000, claimed_ms, received_ms), 'UTC') AS sampled_at
        FROM
        (
            SELECT
                intDiv(toInt64(received_at), 1000000) AS received_ms, body, if(resource['service.name'] = '', 'collectd', resource['service.name']) AS claimed_service,
                coalesce(nullIf(resource['deployment.environment.name'], ''), resource['deployment.environment']) AS claimed_env,
                if(empty(services) OR has(services, claimed_service), claimed_service, services[1]) AS service,
                if(empty(envs) OR has(envs, claimed_env), claimed_env, envs[1]) AS env, kept(service, env) AS retention_days,
                if(resource['service.namespace'] = '', service, concat(resource['service.namespace'], '/', service)) AS job
            FROM segment('body String')
        )
    ),
    samples AS
    (
        SELECT
            service, env, job, retention_days, sampled_at, told.host AS host, told.plugin AS plugin, told.plugin_instance AS plugin_instance, told.type AS type_name,
            told.type_instance AS type_instance, told.dstypes[nth] AS kind, told.dsnames[nth] AS source, assumeNotNull(number) AS value,
            cityHash64(service, env, job, host, plugin, plugin_instance, type_name, type_instance, kind, source) AS series_id
        FROM value_lists
        ARRAY JOIN told.values AS number, arrayEnumerate(told.values) AS nth
        WHERE number IS NOT NULL
    )
