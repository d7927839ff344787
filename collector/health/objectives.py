"""
Service-level objectives as evidence of health: how fast the error budget burns that the catalogue's ``slo`` leaves.

``slo:`` rules (alerting/kinds/slo.py) ask with the same windows and rates: a fiftieth of a month's budget within an hour and still going on, or a twentieth within six.

Source: https://sre.google/workbook/alerting-on-slos/ ("Multiwindow, Multi-Burn-Rate Alerts").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from collector.query.window import SECOND_NS, Window, sql_time
from collector.read.services import Key
from collector.read.sql import Reader, Row

_SHARE = re.compile(r"(?<![\d.])(\d{2}(?:\.\d{1,4})?)\s*%")
_LEAST_SHARE = 0.5
PAIRS = ((3600, 300, 14.4), (21_600, 1800, 6.0))
"""(long window, short window, burn rate), seconds."""
LEAST_CALLS = 20
"""Of fewer calls in the short window a ratio says nothing."""
# As `_RATIOS` answers: long and short of each pair.
_WINDOWS = tuple(length_s for long_s, short_s, _ in PAIRS for length_s in (long_s, short_s))


@dataclass(frozen=True, slots=True)
class Burn:
    """The budget of *objective* (a share of calls that succeed) burns *rate* times as fast as lasts a month, for *hours*; more than *threshold* is evidence."""

    objective: float
    rate: float
    threshold: float
    hours: int


def objective(text: str) -> float | None:
    """Give the share that a catalogue's ``slo`` promises: the first percentage from 50 to 99.9999 in it; None = it names none."""
    shares = (round(float(found) / 100, 8) for found in _SHARE.findall(text))
    return next((share for share in shares if share >= _LEAST_SHARE), None)


# What a service served counts; one that serves nothing is measured by all its spans (read/services.py). Four sums, one for each of `_WINDOWS`.
_RATIOS = """
SELECT service, env, kind IN ('server', 'consumer') AS serves, sumForEach(arrayMap(since -> if(minute >= since, s.calls, 0), {since:Array(DateTime('UTC'))})) AS calls,
       arrayMap((failed, every) -> if(every > 0, failed / every, 0.),
                sumForEach(arrayMap(since -> if(minute >= since, s.weighted_errors, 0.), {since:Array(DateTime('UTC'))})),
                sumForEach(arrayMap(since -> if(minute >= since, s.weighted_calls, 0.), {since:Array(DateTime('UTC'))}))) AS ratios
FROM service_minutes AS s
WHERE minute >= {first:DateTime('UTC')} AND minute < {end:DateTime64(9, 'UTC')}
  AND ({env:String} = '' OR env = {env:String}) AND service IN {services:Array(String)}
GROUP BY service, env, serves
ORDER BY serves DESC
LIMIT 1 BY service, env
LIMIT 5000
"""


def burns(reader: Reader, window: Window, env: str, slos: Mapping[str, str]) -> dict[Key, Burn]:
    """
    Return the services whose budget burns at the end of *window*, by service and env.

    Args:
        reader: The store.
        window: Its end counts.
        env: "" = every one.
        slos: Service -> what the catalogue says.
    """
    objectives = {service: share for service, text in slos.items() if (share := objective(text)) is not None}
    if not objectives:
        return {}
    found = {}
    for row in _rows(reader, window, env, sorted(objectives)):
        worst = max(_burning(row, objectives[row["service"]]), key=lambda burn: burn.rate, default=None)
        if worst is not None:
            found[row["service"], row["env"]] = worst
    return found


def _rows(reader: Reader, window: Window, env: str, services: Sequence[str]) -> list[Row]:
    ends = [max(window.end_ns // SECOND_NS - length_s, 0) // 60 * 60 for length_s in _WINDOWS]
    params = {
        "since": [sql_time(at_s * SECOND_NS)[:19] for at_s in ends],
        "first": sql_time(min(ends) * SECOND_NS)[:19],
        "end": sql_time(window.end_ns),
        "env": env,
        "services": services,
    }
    return reader.rows(_RATIOS, params)


def _burning(row: Row, share: float) -> Iterator[Burn]:
    calls = dict(zip(_WINDOWS, row["calls"], strict=True))
    rates = {length_s: ratio / (1 - share) for length_s, ratio in zip(_WINDOWS, row["ratios"], strict=True)}
    for long_s, short_s, threshold in PAIRS:
        if calls[short_s] >= LEAST_CALLS and min(rates[long_s], rates[short_s]) > threshold:
            yield Burn(share, rates[long_s], threshold, long_s // 3600)
