"""The share of a service's calls that took longer than a threshold, from the digests of its durations."""

from __future__ import annotations

from collector.query.window import Window
from collector.read.services import Key
from collector.read.sql import Reader, Row

# Where the digest is asked: a threshold lies between two of these quantiles, and the share between them is a straight line. Closer where objectives are.
_LEVELS = tuple(
    [n / 100 for n in range(90)]
    + [0.9 + n / 500 for n in range(45)]
    + [0.99 + n / 2000 for n in range(18)]
    + [0.999 + n / 10_000 for n in range(11)]
)
_WRITTEN = ", ".join(f"{level:.4f}" for level in _LEVELS)
# The same calls that RED counts (services.py). A digest of any quantiles can be asked for all.
_SLOW = f"""
SELECT service, env, calls,
       multiIf(place = 0, 0., place = 1, 1.,
               1 - levels[place - 1] - (levels[place] - levels[place - 1]) * (threshold - at[place - 1]) / (at[place] - at[place - 1])) AS slow_ratio
FROM (
    SELECT service, env, kind IN ('server', 'consumer') AS serves, sum(s.calls) AS calls, [{_WRITTEN}] AS levels, {{threshold_ns:Float64}} AS threshold,
           quantilesTDigestMerge({_WRITTEN})(s.duration_ns) AS at, arrayFirstIndex(ns -> ns > threshold, at) AS place
    FROM service_minutes AS s
    WHERE minute >= toStartOfMinute({{start:DateTime64(9, 'UTC')}}) AND minute < {{end:DateTime64(9, 'UTC')}}
    GROUP BY service, env, serves
)
ORDER BY serves DESC
LIMIT 1 BY service, env
LIMIT 5000
"""


def slow(reader: Reader, window: Window, threshold_s: float) -> dict[Key, Row]:
    """
    Return ``{calls, slow_ratio}`` per service with spans in *window*.

    *slow_ratio* is the share of the calls that were stored, failed ones too, that took longer than *threshold_s*; right to a hundredth (less so where many calls take exactly that long), near the ends to a
    thousandth of all.
    """
    rows = reader.rows(_SLOW, {**window.params(), "threshold_ns": threshold_s * 1e9})
    return {
        (row["service"], row["env"]): {"calls": row["calls"], "slow_ratio": row["slow_ratio"]} for row in rows
    }
