    -- How metrics, their units and labels are named the Prometheus way.
    t -> if(match(t, '^[0-9]'), concat('_', replaceRegexpAll(t, '[^a-zA-Z0-9_]+', '_')), replaceRegexpAll(t, '[^a-zA-Z0-9_]+', '_')) AS label_name,
    ['s', 'ms', 'us', 'ns', 'min', 'h', 'd', 'By', 'KiBy', 'MiBy', 'GiBy', 'TiBy', 'KBy', 'MBy', 'GBy', 'TBy', 'm', 'V', 'A', 'J', 'W', 'g', 'Cel', 'Hz', '%', '1'] AS ucum,
    ['seconds', 'milliseconds', 'microseconds', 'nanoseconds', 'minutes', 'hours', 'days', 'bytes', 'kibibytes', 'mebibytes', 'gibibytes', 'tebibytes', 'kilobytes', 'megabytes',
     'gigabytes', 'terabytes', 'meters', 'volts', 'amperes', 'joules', 'watts', 'grams', 'celsius', 'hertz', 'percent', ''] AS unit_words,
    ['s', 'm', 'h', 'd', 'w', 'mo', 'y'] AS per_ucum,
    ['second', 'minute', 'hour', 'day', 'week', 'month', 'year'] AS per_words,
    -- Upper bounds and counts become pairs of (le, cumulative count); the last bucket's bound is +Inf.
    (bounds, counts) -> arrayMap((bound, total) -> ('_bucket', 'le', bound, toFloat64(total)), arrayPushBack(arrayMap(x -> toString(x), bounds), '+Inf'),
        arrayCumSum(arrayResize(counts, length(bounds) + 1, toUInt64(0)))) AS buckets
