-- Native histograms of remote_write 2.0 -> metric_samples: their buckets, counts and sums.
INSERT INTO metric_samples (series_id, at, value, retention_days)
-- include _requests.sql
SELECT series_id, fromUnixTimestamp64Milli(in_range(ms, received_ms, retention_days), 'UTC') AS at, value, retention_days
FROM
(
    SELECT received_ms, others, base_id(labels, sender, service, env) AS id, kept(service, env) AS retention_days
    FROM
    (
        SELECT received_ms, others, labels, sender, service_of(claimed_service(teller, sender.1), sender) AS service,
               permitted(sender.4, claimed_env(teller, sender.2)) AS env
        FROM
        (
            SELECT received_ms, all_histogram_samples(series.histograms) AS others, arrayPopFront(told) AS labels, sender,
                   telling(labels) AS teller
            FROM requests
            ARRAY JOIN all_series AS series, all_told AS told
            WHERE notEmpty(series.histograms)
        )
    )
)
ARRAY JOIN arrayMap(x -> id_of(id, x.1, x.2), others) AS series_id, tupleElement(others, 3) AS ms, tupleElement(others, 4) AS value
