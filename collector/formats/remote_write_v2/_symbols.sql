    -- Strings by their numbers, as (odd, even) pairs. arrayReduceInRanges takes them out of `symbols` in one go; a lambda would copy all symbols for
    -- every number (measured: 18 times the CPU).
    (numbers, symbols) -> arrayReduceInRanges('any', arrayMap(n -> (n + 1, 1), numbers), symbols) AS looked_up,
    (numbers, symbols) -> arrayZip(looked_up(arrayFilter((n, i) -> i % 2 = 1, numbers, arrayEnumerate(numbers)), symbols),
                                   looked_up(arrayFilter((n, i) -> i % 2 = 0, numbers, arrayEnumerate(numbers)), symbols)) AS pairs_of,
    -- The pairs of lists of numbers, list by list; none of them is empty.
    (lists, symbols) -> arraySplit((p, first) -> first, pairs_of(arrayFlatten(lists), symbols),
                                   arrayFlatten(arrayMap(list -> arrayMap(i -> i = 1, range(1, intDiv(length(list), 2) + 1)), lists))) AS told_pairs,
