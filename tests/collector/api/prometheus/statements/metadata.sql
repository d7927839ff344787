SELECT
    multiIf(type IN ('histogram', 'gaugehistogram'), replaceRegexpOne(name, '_(bucket|g?sum|g?count|created)$', ''),
            type = 'summary', replaceRegexpOne(name, '_(sum|count|created)$', ''), name) AS family,
    type, max(metric_series.help) AS help, max(metric_series.unit) AS unit
FROM metric_series
WHERE name != '' AND ({metric:String} = '' OR startsWith(name, {metric:String}))
GROUP BY family, type
HAVING {metric:String} = '' OR family = {metric:String}
ORDER BY family, type = 'unknown', type
LIMIT 100000
-- metric = 'up'
