SELECT DISTINCT name, arraySort(arrayFilter(x -> x.2 != '', CAST(labels, 'Array(Tuple(String, String))'))) AS pairs
FROM (
    SELECT s.name AS name, s.labels AS labels
    FROM metric_series AS s
    WHERE ((s.name = {p0:String} AND match(s.labels[{p1:String}], {p2:String}) AND if(s.labels[{p3:String}] = '', s.service, s.labels[{p3:String}]) != {p4:String}) OR (s.name = {p5:String} AND s.labels[{p6:String}] = {p7:String})) AND s.series_id != cityHash64('metadata', s.service, s.env, s.name)
      AND toUnixTimestamp64Milli(s.last_seen) >= {start:Int64} AND toUnixTimestamp64Milli(s.first_seen) <= {end:Int64}
)
ORDER BY name, pairs
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
