-- What series and samples share: `all_series`, one row per series and request.
WITH
-- include ../_retention.sql
-- include ../_remote_write.sql
    ,
-- include _symbols.sql
    requests AS
    (
        SELECT
            intDiv(toInt64(received_at), 1000000) AS received_ms, body.timeseries AS sent,
            -- Of each series first its family's help and unit, then its labels.
            told_pairs(arrayMap((about, labels) -> arrayConcat([about.2, about.3], labels), tupleElement(sent, 'metadata'), tupleElement(sent, 'labels_refs')), body.symbols) AS all_told,
            (resource['service.name'], coalesce(nullIf(resource['deployment.environment.name'], ''), resource['deployment.environment']), services, envs) AS sender
        FROM segment('body Tuple(
            symbols Array(String),
            timeseries Array(Tuple(
                labels_refs Array(UInt32),
                samples Array(Tuple(value Float64, timestamp Int64)),
                histograms Array(Tuple(timestamp Int64)),
                metadata Tuple(type Int32, help_ref UInt32, unit_ref UInt32),
                created_timestamp Int64)))')
    ),
    all_series AS
    (
        SELECT received_ms, labels, samples, times, plain, cityHash64(family_type, family) AS family_id, family_type, family.1 AS help, family.2 AS unit, service, env,
               base_id(labels, sender, service, env) AS id, kept(service, env) AS retention_days
        FROM
        (
            SELECT received_ms, labels, samples, times, plain, family_type, family, sender, service_of(claimed_service(teller, sender.1), sender) AS service,
                   permitted(sender.4, claimed_env(teller, sender.2)) AS env
            FROM
            (
                SELECT
                    received_ms, sender, about.1 AS family_type, told[1] AS family, arrayPopFront(told) AS labels, telling(labels) AS teller, samples,
                    arrayConcat(samples.timestamp, if(created > 0, [created], [])) AS times, notEmpty(samples) OR empty(histograms) AS plain
                FROM requests
                ARRAY JOIN
                    tupleElement(sent, 'metadata') AS about, tupleElement(sent, 'samples') AS samples, tupleElement(sent, 'histograms') AS histograms,
                    tupleElement(sent, 'created_timestamp') AS created, all_told AS told
            )
        )
    )
