    -- Days that rows of a service in an environment are kept: those of the first rule (service, env, days) that fits, an empty text fits any, and the
    -- last rule fits all. The rules are those of the signal when the segment was sealed; one rule alone costs nothing. Each row looks its place up
    -- three times in tables that are made once, instead of being compared with every rule (measured: that is 0.6 µs a row with five).
    {kept:Array(Tuple(String, String, UInt16))} AS kept_rules,
    arrayMap((rule, place) -> (rule.1, rule.2, place), kept_rules, arrayEnumerate(kept_rules)) AS kept_places,
    arrayFilter(rule -> rule.2 = '', kept_places) AS kept_by_service,
    arrayFilter(rule -> rule.1 = '', kept_places) AS kept_by_env,
    arrayFilter(rule -> rule.1 != '' AND rule.2 != '' OR rule.3 = length(kept_rules), kept_places) AS kept_by_both,
    (service, env) -> if(length(kept_rules) = 1, kept_rules[1].3, kept_rules[least(
        transform(service, kept_by_service.1, kept_by_service.3, length(kept_rules)),
        transform(env, kept_by_env.2, kept_by_env.3, length(kept_rules)),
        transform(concat(service, '\0', env), arrayMap(rule -> concat(rule.1, '\0', rule.2), kept_by_both), kept_by_both.3, length(kept_rules)))].3) AS kept,
