"""
What many expressions ask of the store, brought by a few statements: which series their selectors choose, and what range functions say of them.

One statement finds the series of all selectors, one more reads each function over each window. A statement of the compiler takes the engine 25 ms to plan
before it reads anything, these 15 and 5; so a thousand expressions cost what their series cost. Source: docs/adr/0045.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from collector.errors import QueryError
from collector.query.promql.compiler import SETTINGS
from collector.query.promql.grid import sql_ms
from collector.query.promql.instants import Element, GivenUp, Leaf, Plan, Readings, Selector, reading
from collector.query.promql.instants.vectors import Key, key
from collector.query.promql.scope import NAME
from collector.query.promql.selectors import OWN
from collector.read.sql import Reader, Row

# A selector of more series is answered by the statement that aggregates them in the engine; as many as an answer may have.
SELECTED_LIMIT = 10_000
# Series at a time, and times that one is selected: about a kilobyte each here.
SERIES_LIMIT = 50_000
PAIRS_LIMIT = 100_000
# Samples that one statement holds, sixteen bytes each, were they taken as often as most are: a day of 1,736 series, five minutes of any.
SAMPLES_LIMIT = 10_000_000
_SAMPLES_EVERY_MS = 15_000
# A parameter is a field of the URL, of which a ClickHouse server takes 128 KiB (`http_max_field_value_size`): so many ids of 20 digits, so many bytes of JSON.
IDS_LIMIT = 5_000
WANTED_LIMIT_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A *plan* to be run at *at_ms*."""

    plan: Plan
    at_ms: int


@dataclass(frozen=True, slots=True)
class _Series:
    """
    A series of `metric_series`.

    Attributes:
        id: Of its samples.
        labels: With its name, sorted by name, without empty values.
        service: Who wrote it.
        env: Where.
        delta: Each sample is an increment.
        about: It has no samples, and stands for what is told of the metric.
        first_ms: When it was heard of first.
        last_ms: When last.
    """

    id: int
    labels: Mapping[str, str]
    service: str
    env: str
    delta: bool
    about: bool
    first_ms: int
    last_ms: int


_Chosen = Mapping[Selector, Sequence[_Series]]
_Values = Mapping[Readings, Mapping[int, float]]


class TooMany(Exception):
    """More series than are held at a time."""


class Leaves:
    """
    The answers to what some plans ask.

    Args:
        chosen: Series of each selector; none of those that choose too many.
        values: Of each series, by what was read.
    """

    def __init__(self, chosen: _Chosen, values: _Values) -> None:
        self._chosen = chosen
        self._values = values
        self._elements: dict[tuple[Leaf, int], Sequence[Element]] = {}

    def run(self, plan: Plan, at_ms: int) -> Sequence[Element]:
        """
        Run *plan* at *at_ms*.

        Raises:
            GivenUp: Something was not brought, or the plan itself has no answer.
        """
        return plan.run([self._of(leaf, at_ms) for leaf in plan.leaves], at_ms)

    def has(self, asked: Asked) -> bool:
        """Whether all that it asks was brought."""
        return all(
            leaf.selector in self._chosen and Readings.of(leaf, asked.at_ms) in self._values
            for leaf in asked.plan.leaves
        )

    def _of(self, leaf: Leaf, at_ms: int) -> Sequence[Element]:
        if (leaf, at_ms) not in self._elements:
            read = Readings.of(leaf, at_ms)
            if leaf.selector not in self._chosen or read not in self._values:
                raise GivenUp
            self._elements[leaf, at_ms] = _elements(
                self._chosen[leaf.selector], leaf.own, read, self._values[read]
            )
        return self._elements[leaf, at_ms]


def bring(reader: Reader, asked: Sequence[Asked]) -> Leaves:
    """
    Read what all of *asked* ask.

    Raises:
        TooMany: More than `SERIES_LIMIT` series, or `PAIRS_LIMIT` choices of them; more selectors than go into a parameter.
        QueryError: Not all can be read: a pattern that is none, a limit of the engine.
        StoreUnavailable: No answer.
    """
    wanted = {(Readings.of(leaf, one.at_ms), leaf.selector) for one in asked for leaf in one.plan.leaves}
    if not wanted:
        return Leaves({}, {})
    chosen = _choose(reader, {selector for _, selector in wanted}, [read for read, _ in wanted])
    values: dict[Readings, Mapping[int, float]] = {}
    for read, series in _to_read(wanted, chosen):
        try:
            values[read] = _read(reader, read, series)
        except (QueryError, GivenUp):
            continue  # whoever asks for it asks alone, and is told
    return Leaves(chosen, values)


# `wanted`: (number, metric, [(label, 0 = equal 1 = not 2 = matches 3 = does not, value)]) of each selector. The columns
# named like labels are what `selectors.OWN` says. A selector of too many series is cut off at one more.
_SERIES = """
SELECT p.series_id AS series_id, any(p.metric) AS metric, any(p.labels) AS labels, any(p.service) AS service, any(p.env) AS env,
    any(p.delta) AS delta, any(p.about) AS about, any(p.first_ms) AS first_ms, any(p.last_ms) AS last_ms, groupArray(p.number) AS selectors
FROM
(
    SELECT s.series_id AS series_id, s.metric AS metric, s.labels AS labels, s.service AS service, s.env AS env,
        s.delta AS delta, s.series_id = cityHash64('metadata', s.service, s.env, s.metric) AS about, s.first_ms AS first_ms, s.last_ms AS last_ms, w.number AS number
    FROM
    (
        SELECT name AS metric, series_id, CAST(any(labels), 'Map(String, String)') AS labels, any(service) AS service, any(env) AS env,
            any(temporality) = 'delta' AS delta, toUnixTimestamp64Milli(min(first_seen)) AS first_ms, toUnixTimestamp64Milli(max(last_seen)) AS last_ms
        FROM metric_series WHERE name IN {metrics:Array(String)} GROUP BY name, series_id
        HAVING max(last_seen) > {after:DateTime64(3, 'UTC')} AND min(first_seen) <= {until:DateTime64(3, 'UTC')}
    ) AS s
    INNER JOIN
    (
        SELECT one.1 AS number, one.2 AS metric, one.3 AS matchers
        FROM (SELECT arrayJoin(JSONExtract({wanted:String}, 'Array(Tuple(UInt32, String, Array(Tuple(String, UInt8, String))))')) AS one)
    ) AS w ON w.metric = s.metric
    WHERE arrayAll(m -> multiIf(
            m.2 = 0, (if(s.labels[m.1] != '', s.labels[m.1], multiIf(m.1 IN ('service', 'service_name'), s.service, m.1 = 'env', s.env, '')) AS subject) = m.3,
            m.2 = 1, subject != m.3, m.2 = 2, match(subject, m.3), NOT match(subject, m.3)), w.matchers)
    LIMIT {selected:UInt32} BY number
    LIMIT {pairs:UInt32}
) AS p
GROUP BY p.series_id
LIMIT {series:UInt32}
"""
_KINDS = ("=", "!=", "=~", "!~")


def _choose(reader: Reader, selectors: Collection[Selector], reads: Sequence[Readings]) -> _Chosen:
    """Find the series of each selector that samples of *reads* may be of; without those that choose too many."""
    numbered = list(selectors)
    wanted = json.dumps([_written(number, selector) for number, selector in enumerate(numbered)])
    if len(wanted) > WANTED_LIMIT_BYTES:
        raise TooMany
    params = {
        "metrics": sorted({selector.metric for selector in numbered}),
        "after": sql_ms(min(read.until_ms - read.window_ms for read in reads)),
        "until": sql_ms(max(read.until_ms for read in reads)),
        "wanted": wanted,
        "selected": SELECTED_LIMIT + 1,
        "pairs": PAIRS_LIMIT + 1,
        "series": SERIES_LIMIT + 1,
    }
    rows = reader.rows(_SERIES, params)
    counts = Counter(number for row in rows for number in row["selectors"])
    if len(rows) > SERIES_LIMIT or counts.total() > PAIRS_LIMIT:
        raise TooMany
    found: dict[int, list[_Series]] = {number: [] for number in range(len(numbered))}
    for row in rows:
        series = _series(row)
        for number in row["selectors"]:
            found[number].append(series)
    return {numbered[number]: of for number, of in found.items() if counts[number] <= SELECTED_LIMIT}


def _written(number: int, selector: Selector) -> tuple[object, ...]:
    return (
        number,
        selector.metric,
        [(label, _KINDS.index(kind), value) for label, kind, value in selector.matchers],
    )


def _series(row: Row) -> _Series:
    labels = {**row["labels"], NAME: row["metric"]}
    return _Series(
        int(row["series_id"]),
        {name: labels[name] for name in sorted(labels) if labels[name]},
        row["service"],
        row["env"],
        bool(row["delta"]),
        bool(row["about"]),
        int(row["first_ms"]),
        int(row["last_ms"]),
    )


def _to_read(
    wanted: Collection[tuple[Readings, Selector]], chosen: _Chosen
) -> Iterator[tuple[Readings, Mapping[int, _Series]]]:
    """Give the series that each window is read of."""
    together: dict[Readings, dict[int, _Series]] = {}
    for read, selector in wanted:
        there = {one.id: one for one in chosen.get(selector, ()) if read.sees(one.first_ms, one.last_ms)}
        together.setdefault(read, {}).update(there)
    yield from together.items()


def _read(reader: Reader, read: Readings, series: Mapping[int, _Series]) -> Mapping[int, float]:
    """Read the value of each series that has one, some at a time."""
    values: dict[int, float] = {}
    ids = sorted(series)
    some = max(1, min(IDS_LIMIT, SAMPLES_LIMIT * _SAMPLES_EVERY_MS // read.window_ms))
    for start in range(0, len(ids), some):
        part = ids[start : start + some]
        sql, params = reading(read, part, [one for one in part if series[one].delta])
        rows = reader.rows(sql, params, SETTINGS)
        values.update((int(row["series_id"]), float(row["value"])) for row in rows)
    return values


def _elements(
    chosen: Sequence[_Series], own: frozenset[str], read: Readings, values: Mapping[int, float]
) -> Sequence[Element]:
    """
    Give the series in the window that have a value.

    Raises:
        GivenUp: Several series are one label set: their samples are one series' then.
    """
    seen = [
        (one, labels, key(labels))
        for one in chosen
        if read.sees(one.first_ms, one.last_ms)
        for labels in [_told(one, own)]
    ]
    places: dict[Key, set[tuple[str, str]]] = {}
    for one, _, mark in seen:
        places.setdefault(mark, set()).add((one.service, one.env))
    found: list[Element] = []
    marks: set[Key] = set()
    for one, told, told_mark in seen:
        labels, mark = told, told_mark
        if len(places[mark]) > 1:
            labels = _apart(one, told)
            mark = key(labels)
        if not one.about:
            if mark in marks:
                raise GivenUp
            marks.add(mark)
        if one.id in values:
            found.append(Element(labels, values[one.id]))
    return found


def _told(series: _Series, own: frozenset[str]) -> Mapping[str, str]:
    """Give its labels, and the columns that the question names like labels."""
    if not own:
        return series.labels
    columns = {label: getattr(series, OWN[label]) for label in own}
    every = {**columns, **series.labels}
    return {name: every[name] for name in sorted(every) if every[name]}


def _apart(series: _Series, labels: Mapping[str, str]) -> Mapping[str, str]:
    """Tell it from a series of the same labels that another service wrote."""
    every = {"service": series.service, "env": series.env, **labels}
    return dict(sorted(every.items()))
