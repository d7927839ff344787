-- What series and samples share: `all_series`, one row per series and request.
WITH
-- include ../_retention.sql
-- include ../_remote_write.sql
    ,
    requests AS
    (
        SELECT
            intDiv(toInt64(received_at), 1000000) AS received_ms, body.timeseries AS told,
            (resource['service.name'], coalesce(nullIf(resource['deployment.environment.name'], ''), resource['deployment.environment']), services, envs) AS sender
        FROM segment('body Tuple(timeseries Array(Tuple(
            labels Array(Tuple(name String, value String)),
            samples Array(Tuple(value Float64, timestamp Int64)),
            histograms Array(Tuple(timestamp Int64)))))')
    ),
    all_series AS
    (
        SELECT received_ms, labels, samples, samples.timestamp AS times, plain, 0 AS family_id, 0 AS family_type, '' AS help, '' AS unit, service, env,
               base_id(labels, sender, service, env) AS id, kept(service, env) AS retention_days
        FROM
        (
            SELECT received_ms, labels, samples, plain, sender, service_of(claimed_service(teller, sender.1), sender) AS service,
                   permitted(sender.4, claimed_env(teller, sender.2)) AS env
            FROM
            (
                SELECT received_ms, labels, samples, notEmpty(samples) OR empty(histograms) AS plain, sender, telling(labels) AS teller
                FROM requests
                ARRAY JOIN tupleElement(told, 'labels') AS labels, tupleElement(told, 'samples') AS samples, tupleElement(told, 'histograms') AS histograms
            )
        )
    )
