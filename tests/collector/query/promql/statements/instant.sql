-- up{job="api",instance!~"a.*"}
-- {'p0': 'up', 'p1': 'job', 'p2': 'api', 'p3': 'instance', 'p4': '^(?s:a.*)$', 'p5': '2026-11-18 11:01:40.000', 'p6': '2026-11-18 11:06:40.000', 'p7': '0.000', 'p8': '300.000', 'p9': 10001}
SELECT t.labels AS labels, t.values AS values FROM (SELECT t.labels AS labels, arrayMap(v -> if(reinterpretAsUInt64(assumeNotNull(v)) = 0x7ff0000000000002, NULL, v), timeSeriesLastToGrid({p6:DateTime64(3, 'UTC')}, {p6:DateTime64(3, 'UTC')}, {p7:Decimal64(3)}, {p8:Decimal64(3)})(t.samples)) AS values FROM (SELECT m.labels AS labels, m.delta AS delta, s.samples AS samples
FROM (SELECT series_id, timeSeriesGroupArray(at, value) AS samples FROM metric_samples
PREWHERE series_id IN (SELECT s.series_id FROM metric_series AS s WHERE s.name = {p0:String} AND s.labels[{p1:String}] = {p2:String} AND NOT match(s.labels[{p3:String}], {p4:String})) AND at > {p5:DateTime64(3, 'UTC')} AND at <= {p6:DateTime64(3, 'UTC')}
GROUP BY series_id) AS s INNER JOIN (SELECT series_id, delta,
if(min(place) OVER w = max(place) OVER w, told, mapSort(mapUpdate(map('service', place.1, 'env', place.2), told))) AS labels
FROM (SELECT s.series_id AS series_id, mapSort(mapFilter((k, v) -> v != '', mapConcat(map('__name__', any(s.name)), CAST(any(s.labels), 'Map(String, String)')))) AS told, (any(s.service), any(s.env)) AS place, any(s.temporality) = 'delta' AS delta
FROM metric_series AS s WHERE s.name = {p0:String} AND s.labels[{p1:String}] = {p2:String} AND NOT match(s.labels[{p3:String}], {p4:String}) GROUP BY s.series_id HAVING max(s.last_seen) > {p5:DateTime64(3, 'UTC')} AND min(s.first_seen) <= {p6:DateTime64(3, 'UTC')}) WINDOW w AS (PARTITION BY told)) AS m ON s.series_id = m.series_id) AS t GROUP BY labels) AS t WHERE arrayExists(v -> isNotNull(v), t.values) LIMIT {p9:Int64}
