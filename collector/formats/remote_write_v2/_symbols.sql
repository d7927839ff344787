    -- Strings by their numbers. arrayReduceInRanges takes them out of `symbols` in one go; a lambda would copy all symbols for every number (measured: 18
    -- times the CPU).
    (numbers, symbols) -> arrayReduceInRanges('any', arrayMap(n -> (n + 1, 1), numbers), symbols) AS looked_up,
    numbers -> arrayFilter((n, i) -> i % 2 = 1, numbers, arrayEnumerate(numbers)) AS odd,
    numbers -> arrayFilter((n, i) -> i % 2 = 0, numbers, arrayEnumerate(numbers)) AS even,
    -- The strings of lists of numbers, list by list; none of them is empty.
    (lists, symbols) -> arraySplit((s, first) -> first, looked_up(arrayFlatten(lists), symbols),
                                   arrayFlatten(arrayMap(list -> arrayMap(i -> i = 1, arrayEnumerate(list)), lists))) AS told_lists,
    -- The same as pairs, each of an odd and an even one.
    (lists, symbols) -> arrayMap(strings -> arrayZip(odd(strings), even(strings)), told_lists(lists, symbols)) AS told_pairs,
