    -- An AnyValue is JSON text here, {"stringValue": …} and so on. json1 … json5 write one as plain JSON, member by member; below the fifth
    -- level its text stays as it came. text is what one stands for by itself; (key, text, is it a map) is a value.
    v -> JSONExtract(v, 'Tuple(stringValue Nullable(String), boolValue Nullable(String), intValue Nullable(String), doubleValue Nullable(String), bytesValue Nullable(String), arrayValue String, kvlistValue String)') AS branches,
    v -> coalesce(v.1, v.2, v.3, v.4, v.5) AS scalar,
    v -> multiIf(v.1 IS NOT NULL OR v.5 IS NOT NULL, toJSONString(assumeNotNull(scalar(v))), scalar(v) IS NULL, 'null',
                 match(assumeNotNull(scalar(v)), '^(?:-?[0-9]|true$|false$)'), assumeNotNull(scalar(v)), toJSONString(assumeNotNull(scalar(v)))) AS scalar_json,
    v -> if(v.6 != '', arrayMap(x -> ('', x), JSONExtractArrayRaw(v.6, 'values')),
            arrayMap(x -> (concat(toJSONString(x.1), ':'), x.2), JSONExtract(v.7, 'values', 'Array(Tuple(key String, value String))'))) AS members,
    (v, texts) -> concat(if(v.6 != '', '[', '{'), arrayStringConcat(texts, ','), if(v.6 != '', ']', '}')) AS joined,
    v -> v.6 != '' OR v.7 != '' AS is_container,
    v -> if(is_container(branches(v)), v, scalar_json(branches(v))) AS json5,
    v -> if(is_container(branches(v)), joined(branches(v), arrayMap(x -> concat(x.1, json5(x.2)), members(branches(v)))), scalar_json(branches(v))) AS json4,
    v -> if(is_container(branches(v)), joined(branches(v), arrayMap(x -> concat(x.1, json4(x.2)), members(branches(v)))), scalar_json(branches(v))) AS json3,
    v -> if(is_container(branches(v)), joined(branches(v), arrayMap(x -> concat(x.1, json3(x.2)), members(branches(v)))), scalar_json(branches(v))) AS json2,
    v -> if(is_container(branches(v)), joined(branches(v), arrayMap(x -> concat(x.1, json2(x.2)), members(branches(v)))), scalar_json(branches(v))) AS json1,
    v -> if(is_container(branches(v)), json1(v), ifNull(scalar(branches(v)), '')) AS text,
    pairs -> arrayMap(x -> (x.1, text(x.2)), pairs) AS texts,
    v -> startsWith(v, '{"kvlistValue"') AS is_map,
    -- Each map becomes a pair per member, its key joined to theirs with a dot.
    t -> if(startsWith(t, '"'), JSONExtractString(t), if(t = 'null', '', t)) AS leaf,
    pairs -> arrayFlatten(arrayMap(x -> if(x.3, arrayMap(y -> (concat(x.1, '.', y.1), leaf(y.2), startsWith(y.2, '{"')), JSONExtractKeysAndValuesRaw(x.2)),
                                           [x]), pairs)) AS opened,
    (t, length) -> if(match(t, concat('^[0-9a-fA-F]{', toString(length), '}$')), replaceOne(lower(t), repeat('0', length), ''), '') AS id,
    (k, n) -> if(n > 0, [(k, toString(n))], []) AS counted
