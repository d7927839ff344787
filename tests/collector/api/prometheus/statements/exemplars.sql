WITH chosen AS
(
    SELECT s.series_id AS series_id, any(s.name) AS name, any(s.labels) AS labels
    FROM metric_series AS s
    WHERE ((s.name = {p0:String} AND match(s.labels[{p1:String}], {p2:String}) AND if(s.labels[{p3:String}] = '', s.service, s.labels[{p3:String}]) != {p4:String}) OR (s.name = {p5:String} AND s.labels[{p6:String}] = {p7:String})) AND s.series_id != cityHash64('metadata', s.service, s.env, s.name)
    GROUP BY s.series_id
    LIMIT 100000
)
SELECT
    chosen.name AS name, arraySort(arrayFilter(x -> x.2 != '', CAST(chosen.labels, 'Array(Tuple(String, String))'))) AS pairs,
    toUnixTimestamp64Milli(exemplars.at) AS ms, toString(exemplars.value) AS value, trace_id, span_id,
    CAST(exemplars.labels, 'Array(Tuple(String, String))') AS others
FROM exemplars
INNER JOIN chosen ON exemplars.series_id = chosen.series_id
WHERE exemplars.series_id IN (SELECT series_id FROM chosen)
  AND exemplars.at >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND exemplars.at <= fromUnixTimestamp64Milli({end:Int64}, 'UTC')
ORDER BY name, pairs, ms
LIMIT {limit:UInt32}
-- p0 = 'up'
-- p1 = 'job'
-- p2 = '^(?s:a|b)$'
-- p3 = 'service'
-- p4 = 'x'
-- p5 = 'a.b'
-- p6 = 'code'
-- p7 = ''
-- start = 0
-- end = 60000
-- limit = 10
